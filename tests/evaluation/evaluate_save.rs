//! A saved model gives other programs the ids, the shapes and the scores.

use std::fs;
use std::path::{Path, PathBuf};

use segue::eval::{Confidence, Ids, read_pairs, save_model, train, training_input};
use segue::{AlsParams, ItemIdx, SweepSolver, UserIdx};

/// The shape and the numbers of an `.npy` file with two dimensions, read with no help from the writer.
fn load(path: &Path) -> (usize, usize, Vec<f32>) {
    let bytes = fs::read(path).expect("the file was written");
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    let data = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..data]).expect("ASCII");
    let shape = header.split(['(', ')']).nth(1).expect("a shape in brackets");
    let counts: Vec<usize> = shape.split(", ").map(|count| count.parse().expect("a count")).collect();
    let numbers =
        bytes[data..].chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    (counts[0], counts[1], numbers.collect())
}

fn temp_path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("segue-evaluate-save-{}-{test}", std::process::id()))
}

#[test]
fn saved_rows_and_ids_give_the_scores_of_the_model() {
    let dir = temp_path("scores");
    fs::create_dir_all(&dir).expect("the temporary directory can be written");
    let file = dir.join("lines.tsv");
    fs::write(&file, "ana\tthe knife\nana\tmuse\nbo\tmuse\n").expect("the directory was made");
    let mut ids = Ids::default();
    let heard = read_pairs(&file, &mut ids).expect("well formed");
    let input = training_input(ids.n_users(), ids.n_items(), &heard, Confidence::Ones).expect("usable");
    fs::write(&file, "cy\tfeist\n").expect("the directory is there");
    read_pairs(&file, &mut ids).expect("well formed");

    // Not a multiple of 16, so that padding would show.
    let params = AlsParams::builder().n_factors(5).build().expect("usable");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be had");
    let trained = train(params, SweepSolver::Exact, &input, 3, &pool, |_| ()).expect("harmless");
    let saved = dir.join("a/model");
    save_model(&saved, &trained.model, &ids).expect("the directory can be made");

    let read_ids = |name| fs::read_to_string(saved.join(name)).expect("the file was written");
    assert_eq!(read_ids("users.txt"), "ana\nbo\n", "who came after training has no row");
    assert_eq!(read_ids("items.txt"), "the knife\nmuse\n");
    let (n_users, k, users) = load(&saved.join("user_factors.npy"));
    let (n_items, k_of_items, items) = load(&saved.join("item_factors.npy"));
    assert_eq!((n_users, n_items, k, k_of_items), (2, 2, 5, 5));
    for (user, row) in (0..).zip(users.chunks_exact(k)) {
        for (item, other) in (0..).zip(items.chunks_exact(k)) {
            let dot: f64 = row.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let score = trained.model.score(UserIdx::new(user), ItemIdx::new(item)).expect("both are known");
            // Five products of numbers near 1, which the model sums in f32.
            assert!((dot - f64::from(score)).abs() < 1e-6, "{dot} should be {score}");
        }
    }
    fs::remove_dir_all(&dir).expect("it is ours");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = temp_path("in-the-way");
    fs::write(&file, "").expect("the temporary directory can be written");
    let input = training_input(0, 0, &[], Confidence::Ones).expect("empty");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be had");
    let params = AlsParams::builder().build().expect("usable");
    let trained = train(params, SweepSolver::Exact, &input, 0, &pool, |_| ()).expect("harmless");
    let dir = file.join("model");
    let error = save_model(&dir, &trained.model, &Ids::default()).expect_err("a file is in the way");
    assert_eq!(error.path, dir);
    fs::remove_file(&file).expect("it is ours");
}
