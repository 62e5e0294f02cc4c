//! The simulator under the real GDB.

use fenn_testbench::gdb_session::{GDB, is_installed, run};

#[test]
fn gdb_debugs_a_kernel() {
    if !is_installed() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{GDB} is needed where CI=true: `make setup` installs it"
        );
        eprintln!("skipped: there is no {GDB}; `make setup` installs it");
        return;
    }
    if let Err(error) = run() {
        panic!("{error}");
    }
}
