//! The layers of the crate hold: a module imports only from layers below its own.
//!
//! Every `crate::…` and `super::…` path in `src/` is read, comments left out, and held against the table.
//! A path through the crate's root (`crate::Engine`) is refused too, as it would hide where it leads.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. Modules of one layer do not import each other.
const LAYERS: &[&[&str]] = &[
    &["types", "kernel", "guard", "watch"],
    &["als", "search", "metrics", "publish"],
    &["model", "storage", "exchange"],
    &["ingest", "journal", "checkpoint", "training", "query"],
    &["engine", "maintenance"],
    &["eval", "import", "export", "demo", "testing"],
];

/// Modules that only explain or re-export, and may name anything.
const FREE: &[&str] = &["lib", "docs", "plugin"];

#[test]
fn every_module_imports_only_from_layers_below_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut n_paths = 0;
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("the walk stays inside");
        let modules = module_path(inside);
        let Some(home) = modules.first().filter(|home| !FREE.contains(&home.as_str())) else { continue };
        let code = without_comments(&fs::read_to_string(&file).expect("a source file is readable"));
        for target in imported_modules(&code, modules.len()) {
            n_paths += 1;
            if let Err(why) = allowed(home, &target) {
                wrong.push(format!("{}: {why}", inside.display()));
            }
        }
    }
    assert!(n_paths > 50, "the reader of paths found only {n_paths}: it does not work");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_all_forms() {
    let code =
        "use crate::als::Als; use crate::{kernel::dot, types}; super::super::guard::fenced(); super::x();";
    assert_eq!(imported_modules(code, 2), ["als", "kernel", "types", "guard"]);
    assert_eq!(imported_modules("super::model::X", 1), ["model"]);
    assert!(allowed("als", "engine").is_err() && allowed("ingest", "query").is_err());
    assert!(allowed("engine", "als").is_ok() && allowed("als", "als").is_ok());
    assert_eq!(without_comments("a // crate::b\nc \"//d\" /// crate::e"), "a \nc \"//d\" ");
}

fn allowed(home: &str, target: &str) -> Result<(), String> {
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let Some(own) = layer_of(home) else {
        return Err(format!("module `{home}` is in no layer: give it a place in the table"));
    };
    match layer_of(target) {
        _ if home == target => Ok(()),
        Some(other) if other < own => Ok(()),
        Some(other) => Err(format!("`{home}` (layer {own}) imports from `{target}` (layer {other})")),
        None => Err(format!("`{home}` imports `{target}` through the root: name its module")),
    }
}

/// The first module of every path that starts at the root, be it by `crate::` or by enough `super::`.
fn imported_modules(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            found.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    let mut rest = code;
    while let Some(at) = rest.find("super::") {
        rest = &rest[at..];
        let mut climbed = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            climbed += 1;
            rest = after;
        }
        if climbed >= depth {
            found.extend(first_names(rest));
        }
    }
    found
}

/// The name that a path goes on with, or the names if it goes on with a list.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut nesting, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => nesting += 1,
            '}' if nesting == 0 => {
                names.push(name(&list[start..at]));
                break;
            }
            '}' => nesting -= 1,
            ',' if nesting == 0 => {
                names.push(name(&list[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn module_path(inside: &Path) -> Vec<String> {
    let mut parts: Vec<_> =
        inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn without_comments(code: &str) -> String {
    let line = |line: &str| {
        let mut in_text = false;
        let mut before = ' ';
        for (at, c) in line.char_indices() {
            match c {
                '"' if before != '\\' => in_text = !in_text,
                '/' if !in_text && before == '/' => return line[..at - 1].to_owned(),
                _ => {}
            }
            before = c;
        }
        line.to_owned()
    };
    code.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
