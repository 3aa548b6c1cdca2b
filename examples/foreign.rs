//! Brings a model from Python: reads an `.npz` archive of the library `implicit` and answers with it.
//!
//! ```text
//! cargo run --example foreign -- ARCHIVE
//! ```
//!
//! `users.txt` and `items.txt` must lie beside the archive, the id of a row on each line. Prints the ten best items of
//! every user, a line an item with tabs between user, item and score.

use std::error::Error;

use segue::ItemIndex;
use segue::import::ForeignModel;

fn main() -> Result<(), Box<dyn Error>> {
    let archive = std::env::args_os().nth(1).ok_or("say which: foreign ARCHIVE")?;
    let model = ForeignModel::open_npz(archive)?;
    eprintln!(
        "{} users, {} items, {} factors, regularization {:?}",
        model.users().ids.len(),
        model.items().ids.len(),
        model.n_factors(),
        model.regularization(),
    );
    let (users, items) = model.into_sides();
    let index = ItemIndex::new(items.factors);
    for (row, user) in users.ids.iter().enumerate() {
        let vector = users.factors.get(row).expect("every id has a row");
        for (item, score) in index.top(vector, 10, &[])? {
            println!("{user}\t{}\t{score}", items.ids[item.get() as usize]);
        }
    }
    Ok(())
}
