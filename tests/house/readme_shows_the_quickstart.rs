//! The program in the README is the quickstart example, word for word, so it compiles and runs.

#[test]
fn the_program_in_the_readme_is_the_quickstart() {
    let readme = include_str!("../../README.md");
    let example = include_str!("../../examples/quickstart.rs");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let code = &example[example.find("use std").expect("the example begins with its imports")..];
    assert_eq!(shown, Some(code));
}
