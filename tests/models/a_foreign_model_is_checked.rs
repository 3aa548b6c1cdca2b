//! A model from elsewhere is taken only if everything about it is right; what is not is named.

use std::fs;

use crate::common::temp::TempDir;
use ndarray::Array2;
use segue::import::{ForeignModel, ForeignModelError, ForeignSide};
use segue::{Factors, ItemId, UserId};

/// An array file of NumPy, put together by hand.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).expect("short");
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn singles(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Two users, three items, two factors.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new() };
        files.put("users.txt", "ana\n7\n");
        files.put("items.txt", "muse\ntricky\nbjörk\n");
        files.put("user_factors.npy", npy("<f4", "False", "(2, 2)", &singles(&[1.0, 2.0, 3.0, 4.0])));
        files.put(
            "item_factors.npy",
            npy("<f4", "False", "(3, 2)", &singles(&[1.0, 0.5, 2.0, -1.0, 0.0, 0.25])),
        );
        files
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).expect("there is room");
    }

    fn open(&self) -> Result<ForeignModel, ForeignModelError> {
        ForeignModel::open_dir(self.folder.path())
    }

    /// What is said with another file in place of `name`.
    fn refused_with(name: &str, bytes: impl AsRef<[u8]>) -> ForeignModelError {
        let files = Self::new();
        files.put(name, bytes);
        files.open().expect_err("it is wrong")
    }
}

#[test]
fn every_layout_of_numpy_gives_the_same_rows() {
    let files = Files::new();
    let expected = files.open().expect("all is right");
    assert_eq!(expected.users().ids, ["ana", "7"].map(UserId::from));
    assert_eq!(expected.items().factors.view().as_slice_memory_order(), None, "rows are padded");
    assert_eq!(expected.items().factors.get(1), Some(&[2.0, -1.0][..]));
    let by_column = [1.0, 2.0, 0.0, 0.5, -1.0, 0.25];
    for bytes in [
        npy("<f8", "False", "(3, 2)", &doubles(&[1.0, 0.5, 2.0, -1.0, 0.0, 0.25])),
        npy("<f4", "True", "(3, 2)", &singles(&[1.0, 2.0, 0.0, 0.5, -1.0, 0.25])),
        npy("<f8", "True", "(3, 2)", &doubles(&by_column)),
    ] {
        files.put("item_factors.npy", bytes);
        assert_eq!(files.open().expect("all is right"), expected);
    }
    // Version 2 has a longer length.
    let mut second = npy("<f4", "False", "(3, 2)", &singles(&[1.0, 0.5, 2.0, -1.0, 0.0, 0.25]));
    second[6] = 2;
    second.splice(10..10, [0, 0]);
    files.put("item_factors.npy", second);
    files.put("users.txt", "ana\r\n7");
    assert_eq!(files.open().expect("all is right"), expected, "and lines may end as on Windows");
}

#[test]
fn arrays_that_are_not_what_they_should_be_are_refused() {
    let refused = |bytes: Vec<u8>| Files::refused_with("user_factors.npy", bytes);
    let four = singles(&[1.0, 2.0, 3.0, 4.0]);
    for descr in [">f4", "<f2", "<i4", "|O", "<U7", "<c8"] {
        let error = refused(npy(descr, "False", "(2, 2)", &four));
        assert!(matches!(&error, ForeignModelError::Dtype { got, .. } if got == descr), "{error}");
    }
    for (shape, dimensions) in [("()", 0), ("(4,)", 1), ("(2, 2, 1)", 3)] {
        let error = refused(npy("<f4", "False", shape, &four));
        assert!(matches!(error, ForeignModelError::Dimensions { got, .. } if got == dimensions), "{error}");
    }
    for shape in ["(1, 2)", "(3, 2)", "(18446744073709551615, 2)"] {
        assert!(matches!(
            refused(npy("<f4", "False", shape, &four)),
            ForeignModelError::Rows { n_ids: 2, .. }
        ));
    }
    for shape in ["(2, 0)", "(2, 1025)", "(2, 18446744073709551615)"] {
        assert!(matches!(refused(npy("<f4", "False", shape, &four)), ForeignModelError::Factors { .. }));
    }
    for shape in ["(2, 3)", "(2, 1024)"] {
        let error = refused(npy("<f4", "False", shape, &four));
        assert!(matches!(error, ForeignModelError::Claim { possible: 16, .. }), "{error}");
    }
    let error = refused(npy("<f4", "False", "(2, 1)", &four));
    assert!(matches!(error, ForeignModelError::TooLong { array: "user_factors" }), "{error}");
    let error = refused(npy("<f4", "False", "(2, 1)", &four[..8]));
    assert!(matches!(error, ForeignModelError::FactorsDiffer { users: 1, items: 2 }), "{error}");
    for bytes in [b"PK\x03\x04 an archive".to_vec(), b"\x93NUMPY\x09\x00\x02\x00{}".to_vec()] {
        assert!(matches!(refused(bytes), ForeignModelError::Header { .. }));
    }
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert!(matches!(refused(long), ForeignModelError::Header { .. }), "four gigabytes of header");
}

#[test]
fn a_number_that_is_none_is_named_with_its_place() {
    for (bytes, row, column) in [
        (npy("<f4", "False", "(2, 2)", &singles(&[1.0, 2.0, f32::NAN, 4.0])), 1, 0),
        (npy("<f4", "True", "(2, 2)", &singles(&[1.0, 2.0, f32::NEG_INFINITY, 4.0])), 0, 1),
        (npy("<f8", "False", "(2, 2)", &doubles(&[1.0, 2.0, 3.0, 1e39])), 1, 1),
    ] {
        let error = Files::refused_with("user_factors.npy", bytes);
        let ForeignModelError::NonFinite { array: "user_factors", row: r, column: c, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((r, c), (row, column));
    }
}

#[test]
fn lists_of_ids_that_do_not_fit_are_refused() {
    let refused = |bytes: &[u8]| Files::refused_with("users.txt", bytes);
    assert!(matches!(refused(b"ana\n"), ForeignModelError::Rows { n_rows: 2, n_ids: 1, .. }));
    assert!(matches!(refused(b"ana\nben\ncy\n"), ForeignModelError::Rows { n_ids: 3, .. }));
    let error = refused(b"7\n7\n");
    assert!(matches!(&error, ForeignModelError::DuplicateId { row: 1, id, .. } if id == "7"), "{error}");
    assert!(matches!(refused(b"\nana\n"), ForeignModelError::EmptyId { row: 0, .. }));
    assert!(matches!(refused(b"ana\n\xff\n"), ForeignModelError::IdEncoding { row: 1, .. }));
    for length in [257, 100_000] {
        let long = [b"ana\n", &*vec![b'x'; length]].concat();
        assert!(matches!(refused(&long), ForeignModelError::IdTooLong { row: 1, .. }));
    }
    let files = Files::new();
    files.put("users.txt", [&*vec![b'x'; 256], b"\r\n", &*vec![b'y'; 256]].concat());
    assert!(files.open().is_ok(), "256 bytes may be");
}

#[test]
fn a_file_that_is_missing_is_named() {
    for name in ["users.txt", "items.txt", "user_factors.npy", "item_factors.npy"] {
        let files = Files::new();
        let path = files.folder.path().join(name);
        fs::remove_file(&path).expect("it was there");
        let error = files.open().expect_err("it is missing");
        assert!(matches!(&error, ForeignModelError::Open { path: named, .. } if *named == path), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in ["user_factors.npy", "item_factors.npy"] {
        let files = Files::new();
        let whole = fs::read(files.folder.path().join(name)).expect("it was written");
        for length in 0..whole.len() {
            files.put(name, &whole[..length]);
            assert!(files.open().is_err(), "{length} bytes of {name}");
        }
    }
}

#[test]
fn sides_from_elsewhere_than_files_are_checked_alike() {
    let side = |n: usize, k: usize| Factors::from_array(Array2::ones((n, k)).view()).expect("finite");
    let users = |ids: &[&str], k| ForeignSide {
        ids: ids.iter().map(|&id| UserId::from(id)).collect(),
        factors: side(2, k),
    };
    let items = |k| ForeignSide { ids: vec![ItemId::from(1)], factors: side(1, k) };
    assert!(ForeignModel::new(users(&["a", "b"], 2), items(2)).is_ok());
    let refused = [
        ForeignModel::new(users(&["a", "a"], 2), items(2)),
        ForeignModel::new(users(&["a", ""], 2), items(2)),
        ForeignModel::new(users(&["a"], 2), items(2)),
        ForeignModel::new(users(&["a", "b"], 3), items(2)),
        ForeignModel::new(users(&["a", "b"], 0), items(0)),
        ForeignModel::new(users(&["a", &"b".repeat(257)], 2), items(2)),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    let model = ForeignModel::new(users(&["a", "b"], 2), items(2)).expect("all is right");
    assert_eq!(model.regularization(), None);
    let model = model.with_regularization(0.5).expect("a number");
    assert_eq!(model.regularization(), Some(0.5));
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(model.clone().with_regularization(wrong).is_err(), "{wrong}");
    }
}
