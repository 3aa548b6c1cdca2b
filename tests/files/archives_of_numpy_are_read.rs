//! Archives that NumPy has written are read; damaged, lying and foreign ones are refused, and nothing panics.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use crate::common::temp::TempDir;
use crate::common::{random_events, small};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use segue::export::Export;
use segue::import::{ForeignModel, ForeignModelError};

const USER_IDS: &str = "ana\nben\n";
const ITEM_IDS: &str = "0\n1\n2\n3\n";

fn archive(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives_of_numpy");
    fs::read(folder.join(name)).expect("it comes with the tests")
}

fn read(npz: &[u8]) -> Result<ForeignModel, ForeignModelError> {
    ForeignModel::read_npz(Cursor::new(npz), USER_IDS.as_bytes(), ITEM_IDS.as_bytes())
}

fn assert_rows(model: &ForeignModel, what: &str) {
    let users = [[1.0, 2.0, 0.5], [-1.0, 0.25, 4.0]];
    let items = [[0.5, 0.0, 1.0], [2.0, -3.0, 0.125], [0.0, 0.0, 0.0], [8.0, 1.0, -0.5]];
    assert_eq!(model.users().factors.view(), ndarray::arr2(&users), "{what}");
    assert_eq!(model.items().factors.view(), ndarray::arr2(&items), "{what}");
}

const ARCHIVES: [(&str, f64); 3] =
    [("plain.npz", 0.01), ("compressed.npz", 0.25), ("doubles_by_column.npz", 1.0)];

#[test]
fn what_numpy_has_saved_is_read_in_all_its_forms() {
    for (name, regularization) in ARCHIVES {
        let model = read(&archive(name)).expect("NumPy has written it");
        assert_rows(&model, name);
        assert_eq!(model.regularization(), Some(regularization));
        let folder = TempDir::new();
        fs::write(folder.path().join("users.txt"), USER_IDS).expect("there is room");
        fs::write(folder.path().join("items.txt"), ITEM_IDS).expect("there is room");
        fs::write(folder.path().join(name), archive(name)).expect("there is room");
        assert_eq!(ForeignModel::open_npz(folder.path().join(name)).expect("the same"), model);
        let missing = ForeignModel::open_npz(folder.path().join("other.npz"));
        assert!(matches!(missing, Err(ForeignModelError::Open { .. })));
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    for (name, _) in ARCHIVES {
        let whole = archive(name);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes of {name}");
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_changes_no_row() {
    for (name, _) in ARCHIVES {
        let mut bytes = archive(name);
        let mut n_refused = 0;
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            match read(&bytes) {
                // In a date, in an array that is not read, in the name of one that need not be there.
                Ok(model) => assert_rows(&model, &format!("{name} with bit {bit} flipped")),
                Err(_) => n_refused += 1,
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(n_refused > bytes.len(), "only {n_refused} of {} were refused", 8 * bytes.len());
    }
}

/// An archive of these arrays, all packed by one method.
fn packed(method: CompressionMethod, arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = ZipArchiveWriter::new(&mut bytes);
    for (name, array) in arrays {
        let (mut entry, config) =
            zip.new_file(&**name).compression_method(method).start().expect("memory takes it");
        let descriptor = if method == CompressionMethod::DEFLATE {
            let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
            data.write_all(array).expect("memory takes it");
            let (encoder, descriptor) = data.finish().expect("memory takes it");
            encoder.finish().expect("memory takes it");
            descriptor
        } else {
            let mut data = config.wrap(&mut entry);
            data.write_all(array).expect("memory takes it");
            data.finish().expect("memory takes it").1
        };
        entry.finish(descriptor).expect("memory takes it");
    }
    zip.finish().expect("memory takes it");
    bytes
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n");
    let length = u16::try_from(header.len()).expect("short");
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn archives_of_something_else_are_refused_by_name() {
    let users = npy("<f4", "(2, 1)", &[0; 8]);
    let items = npy("<f4", "(4, 1)", &[0; 16]);
    let both = [("user_factors.npy", &*users), ("item_factors.npy", &*items)];
    let with = |name, array: Vec<u8>| {
        let arrays = [both[0], both[1], (name, &array)];
        read(&packed(CompressionMethod::STORE, &arrays))
    };
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        let model = read(&packed(method, &both)).expect("all that must be there is");
        assert_eq!((model.n_factors(), model.regularization()), (1, None));
    }
    assert!(with("other.npy", b"not an array".to_vec()).is_ok(), "what is not needed is not looked at");

    let missing = read(&packed(CompressionMethod::STORE, &both[..1]));
    assert!(matches!(missing, Err(ForeignModelError::NoArray { array: "item_factors" })), "{missing:?}");
    let twice = with("user_factors.npy", users.clone());
    assert!(matches!(twice, Err(ForeignModelError::TwoArrays { array: "user_factors" })), "{twice:?}");
    let zstd = read(&packed(CompressionMethod::ZSTD, &both));
    assert!(matches!(zstd, Err(ForeignModelError::Method { method: 93, .. })), "{zstd:?}");
    let negative = with("regularization.npy", npy("<f8", "()", &(-0.5_f64).to_le_bytes()));
    assert!(matches!(negative, Err(ForeignModelError::Regularization { .. })), "{negative:?}");
    let pickled = with("regularization.npy", npy("|O", "()", b"\x80\x04N."));
    assert!(matches!(pickled, Err(ForeignModelError::Dtype { .. })), "{pickled:?}");
    let row = with("regularization.npy", npy("<f8", "(1,)", &[0; 8]));
    assert!(matches!(row, Err(ForeignModelError::Dimensions { expected: 0, got: 1, .. })), "{row:?}");
    assert!(matches!(read(b""), Err(ForeignModelError::Archive { .. })));
    assert!(matches!(read(&users), Err(ForeignModelError::Archive { .. })));
}

#[test]
fn an_array_larger_than_its_archive_can_hold_is_refused_before_it_is_made() {
    const N_USERS: usize = 20_000;
    let user_ids = (0..N_USERS).fold(String::new(), |ids, user| ids + &format!("{user}\n"));
    let items = npy("<f4", "(4, 1)", &[0; 16]);
    let read = |users: &[u8], method| {
        let arrays = [("user_factors.npy", users), ("item_factors.npy", &*items)];
        let npz = packed(method, &arrays);
        ForeignModel::read_npz(Cursor::new(npz), user_ids.as_bytes(), ITEM_IDS.as_bytes())
    };
    // 82 megabytes: claimed of none, then really there as some 80 kilobytes.
    let shape = format!("({N_USERS}, 1024)");
    for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
        let claimed = read(&npy("<f4", &shape, &[]), method);
        assert!(matches!(claimed, Err(ForeignModelError::Claim { .. })), "{claimed:?}");
    }
    let bomb = read(&npy("<f4", &shape, &vec![0; N_USERS * 1_024 * 4]), CompressionMethod::DEFLATE);
    assert!(
        matches!(bomb, Err(ForeignModelError::Claim { possible: 67_000_000..67_200_000, .. })),
        "{bomb:?}"
    );
    // Zeros that are harmless are let through.
    let zeros =
        read(&npy("<f4", &format!("({N_USERS}, 1)"), &vec![0; 4 * N_USERS]), CompressionMethod::DEFLATE);
    assert_eq!(zeros.expect("all is there").users().ids.len(), N_USERS);
}

#[test]
fn what_is_exported_comes_back() {
    let mut engine = small().open_manual().expect("usable settings");
    engine.import(random_events(5, 500, 30, 40));
    engine.sweep().expect("there is something to learn");
    let view = engine.reader().view();
    let (folder, export) = (TempDir::new(), Export::of(&view));
    export.save(folder.path().join("arrays")).expect("there is room");
    export.save_npz(folder.path().join("archive")).expect("there is room");
    let arrays = ForeignModel::open_dir(folder.path().join("arrays")).expect("what we write we read");
    let archive = folder.path().join("archive/factors.npz");
    let model = ForeignModel::open_npz(&archive).expect("what we write we read");
    assert_eq!(model.regularization(), Some(f64::from(0.01_f32)));
    assert_eq!(arrays.with_regularization(f64::from(0.01_f32)).expect("a number"), model);
    let names: Vec<_> = ["users.txt", "items.txt", "histories.csv", "factors.npz"]
        .map(|name| folder.path().join("archive").join(name).is_file())
        .into();
    assert_eq!(names, [true; 4]);
    let bytes = fs::read(&archive).expect("it was written");
    for length in (0..bytes.len()).step_by(7) {
        let cut = ForeignModel::read_npz(
            Cursor::new(&bytes[..length]),
            &*fs::read(folder.path().join("archive/users.txt")).expect("it was written"),
            &*fs::read(folder.path().join("archive/items.txt")).expect("it was written"),
        );
        assert!(cut.is_err(), "{length} bytes");
    }
}
