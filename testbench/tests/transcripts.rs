//! What the manual shows of the tools is what they print.
//!
//! On the pages about tools, a block marked `gas` is a file, named by its first line, `# NAME: ...`. Blocks marked `console`
//! are run in the page's order, in a folder with these files: a line that begins with `$ ` is a command, the lines below it
//! what it prints. `...` stands for any lines. Blanks at the end of a line do not count.

use std::path::Path;
use std::process::Command;

use fenn_testbench::shared::root;
use fenn_testbench::tools::tool;

/// The blocks of a page whose fence is marked so.
fn blocks(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut open = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(mark), None) => {
                open = Some(mark);
                found.push((mark, Vec::new()));
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(_)) => found.last_mut().expect("a block is open").1.push(line),
            (None, None) => {}
        }
    }
    found
}

/// Whether `lines` are what `pattern` says.
fn matches(pattern: &[&str], lines: &[&str]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        Some((first, rest)) => lines.first() == Some(first) && matches(rest, &lines[1..]),
    }
}

fn check(page: &Path) -> usize {
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let tools = tool("fenn-sim").expect("the tools are built");
    let tools = Path::new(tools.get_program()).parent().expect("it is in a folder").to_path_buf();
    let path = std::env::join_paths(
        [tools].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.expect("no folder has a colon in its name");
    let mut commands = 0;
    for (mark, lines) in blocks(&text) {
        if mark == "gas" {
            let name =
                lines[0].strip_prefix("# ").and_then(|line| line.split(':').next()).expect("the file has a name");
            std::fs::write(folder.path().join(name), lines.join("\n") + "\n").expect("the file can be written");
        }
        if mark != "console" {
            continue;
        }
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("{}: `{line}`", page.display()));
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            let output = Command::new("sh").args(["-c", command]).current_dir(&folder).env("PATH", &path).output();
            let output = output.expect("there is a shell");
            let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
            assert!(
                matches(&expected, &printed),
                "{}: `{command}` prints\n{}\nand not\n{}",
                page.display(),
                printed.join("\n"),
                expected.join("\n")
            );
            commands += 1;
        }
    }
    commands
}

#[test]
fn the_tools_print_what_their_pages_say() {
    let pages = std::fs::read_dir(root().join("docs/src/tools")).expect("there are pages");
    let commands: usize = pages.map(|page| check(&page.expect("the folder can be read").path())).sum();
    assert!(commands >= 9, "{commands} commands");
}
