//! What the README tells people to type works.

use std::process::Command;

use fenn_testbench::shared::root;

/// The lines of the ```sh blocks, without comments.
fn commands(markdown: &str) -> Vec<String> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in markdown.lines() {
        match line.trim_end() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => commands.push(line.split("   #").next().unwrap_or_default().trim().to_owned()),
            _ => {}
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn the_commands_of_the_readme_run() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let commands = commands(&readme);
    assert_eq!(commands[..2], ["make demo", "make test"], "the two commands come first");
    // `make test` is what runs this.
    for command in commands.iter().filter(|command| *command != "make test") {
        let output = Command::new("bash").args(["-euo", "pipefail", "-c", command]).current_dir(root()).output();
        let output = output.expect("bash runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command}\n{}\n{}", text(&output.stdout), text(&output.stderr));
        if command == "make demo" {
            let stdout = text(&output.stdout);
            assert!(stdout.contains("accuracy"), "the demo shows its accuracy:\n{stdout}");
            let report =
                std::fs::read_to_string(root().join("out/demo/report.html")).expect("the demo writes a report");
            assert!(report.contains("<svg"), "the report has figures");
        }
    }
}
