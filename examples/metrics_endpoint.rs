//! An endpoint for Prometheus, by the standard library alone: the host's own thread answers `GET /metrics` with what the
//! engine tells of itself. It is scraped once, the text is printed, and that is all.
//!
//! `cargo run --example metrics_endpoint`; a host's own `Cargo.toml` asks for the feature `metrics`.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use segue::{Engine, Event};

fn main() -> Result<(), Box<dyn Error>> {
    // The recorder of the whole process: what else the host counts goes there too.
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let engine = Engine::builder().open()?;
    engine.import((0..2_000_u64).map(|n| Event::listen(n % 97, (n * 7 + n % 3) % 60)))?;
    engine.sweep_now()?.wait()?;
    let view = engine.reader().view();
    for listener in 0..97_u64 {
        view.user(listener).recommend().run()?;
    }

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    println!("# http://{address}/metrics");
    let text = thread::scope(|scope| {
        // A host's thread would go on; this one answers a single scrape.
        let server = scope.spawn(|| answer(&listener.accept()?.0, &engine, &prometheus));
        let text = scrape(address)?;
        server.join().expect("it does not panic")?;
        io::Result::Ok(text)
    })?;
    print!("{text}");
    Ok(())
}

/// Reads a request to its empty line, and answers it.
fn answer(mut stream: &TcpStream, engine: &Engine, prometheus: &PrometheusHandle) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    if !request.starts_with("GET /metrics ") {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    engine.record_metrics();
    let text = prometheus.render();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n")?;
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
}

/// What Prometheus does every fifteen seconds.
fn scrape(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, text) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    if head.starts_with("HTTP/1.1 200") {
        Ok(text.to_owned())
    } else {
        Err(io::Error::other(head.to_owned()))
    }
}
