//! The project's own tools, run as their users run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::shared::root;

/// A tool could not be run, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ToolError(pub String);

/// Where the tools are: beside the running binary, or in its parent for tests.
fn folder() -> Result<PathBuf, ToolError> {
    let own = std::env::current_exe().map_err(|error| ToolError(format!("cannot find the tools: {error}")))?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let tests = folder.file_name().is_some_and(|name| name == "deps");
    Ok(if tests { folder.parent().unwrap_or(folder).to_path_buf() } else { folder.to_path_buf() })
}

/// `tool`, to be run at the top of the checkout.
///
/// # Errors
/// Nobody knows where the running binary is.
pub fn tool(tool: &str) -> Result<Command, ToolError> {
    let mut command = Command::new(folder()?.join(tool));
    command.current_dir(root());
    Ok(command)
}

/// Runs `tool` at the top of the checkout, whatever its exit code.
///
/// # Errors
/// The tool is not there, or was ended by a signal.
pub fn attempt(tool: &str, arguments: &[&str]) -> Result<Output, ToolError> {
    let output = self::tool(tool)?.args(arguments).output();
    let output = output.map_err(|error| ToolError(format!("cannot run {tool}: {error}; build the workspace")))?;
    match output.status.code() {
        Some(_) => Ok(output),
        None => Err(ToolError(format!("{tool} was ended by a signal"))),
    }
}

/// Runs `tool` and gives its standard output.
///
/// # Errors
/// As [`attempt`], and an exit code other than 0, with what the tool said.
pub fn run(tool: &str, arguments: &[&str]) -> Result<String, ToolError> {
    let output = attempt(tool, arguments)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(ToolError(format!("{tool} {} failed: {said}", arguments.join(" "))));
    }
    String::from_utf8(output.stdout).map_err(|_| ToolError(format!("{tool} printed something that is not text")))
}

/// Runs `tool`, and gives the time it took and the most memory it had at once, in bytes, looking at it a thousand times a second.
///
/// # Errors
/// As [`run`], and where the system does not tell how much memory a process has.
pub fn measured(tool: &str, arguments: &[&str]) -> Result<(Duration, u64), ToolError> {
    let fails = |error: std::io::Error| ToolError(format!("cannot run {tool}: {error}; build the workspace"));
    let start = Instant::now();
    let mut child =
        self::tool(tool)?.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(fails)?;
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().map_err(fails)?.is_none() {
        let status = std::fs::read_to_string(&file).unwrap_or_default();
        // Its own high-water mark, so that nothing is missed but what came after the last look.
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        most = mark.and_then(|kib| kib.trim().parse::<u64>().ok()).map_or(most, |kib| most.max(kib << 10));
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = start.elapsed();
    let output = child.wait_with_output().map_err(fails)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(ToolError(format!("{tool} {} failed: {said}", arguments.join(" "))));
    }
    if most == 0 {
        return Err(ToolError("the system does not tell how much memory a process has".to_owned()));
    }
    Ok((elapsed, most))
}

/// Runs `tool` with `--json` and reads what it prints.
///
/// # Errors
/// As [`run`], and output that is not JSON.
pub fn json(tool: &str, arguments: &[&str]) -> Result<serde_json::Value, ToolError> {
    let text = run(tool, &[arguments, &["--json"]].concat())?;
    serde_json::from_str(&text).map_err(|error| ToolError(format!("{tool} --json printed no JSON: {error}")))
}

/// The number at `pointer` (RFC 6901) of `value`.
///
/// # Errors
/// There is none.
pub fn number(value: &serde_json::Value, pointer: &str) -> Result<f64, ToolError> {
    value
        .pointer(pointer)
        .and_then(serde_json::Value::as_f64)
        .ok_or_else(|| ToolError(format!("there is no number {pointer} in the tool's answer")))
}

/// One of the workspace's own tests, run as a figure: how often `what` appears as a number in `N what` on its stderr.
///
/// # Errors
/// The test fails, or does not say.
pub fn counted_test(package: &str, test: &str, what: &str) -> Result<f64, ToolError> {
    let arguments =
        ["test", "--release", "--quiet", "--package", package, "--all-features", "--test", test, "--", "--nocapture"];
    let output = Command::new("cargo").args(arguments).current_dir(root()).output();
    let output = output.map_err(|error| ToolError(format!("cannot run cargo: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(ToolError(format!("the test {test} of {package} fails")));
    }
    let line = said.lines().find_map(|line| line.strip_suffix(what)?.trim().parse().ok());
    line.ok_or_else(|| ToolError(format!("the test {test} of {package} did not say how many {what}")))
}
