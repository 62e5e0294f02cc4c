//! Simulated instructions per second on the loops of [`fenn_iss::speed`]; watched, not tested.
//!
//! `cargo bench -p fenn-iss` prints, for each loop, millions of instructions per second of one thread, best of many short
//! runs: the reference, the fast engine, and how many times as fast that is; with each kind of instructions that the host
//! has. Then the same as one line of JSON.

use std::time::Duration;

use fenn_iss::Host;
use fenn_iss::speed::measure_with;

/// For each loop.
const TIME: Duration = Duration::from_millis(700);

#[expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]
fn main() -> Result<(), fenn_iss::Error> {
    let mut json = Vec::new();
    println!(
        "{:<10} {:<16} {:>10} {:>8} {:>6}   million instructions a second",
        "host", "loop", "reference", "fast", "ratio"
    );
    for host in Host::ALL.into_iter().filter(|host| host.is_here()) {
        for row in measure_with(host, TIME)? {
            let (name, ratio) = (host.name(), row.ratio());
            println!("{name:<10} {:<16} {:>10.1} {:>8.1} {ratio:>6.2}", row.name, row.reference, row.fast);
            json.push(serde_json::json!({
                "host": name, "loop": row.name, "reference_mips": row.reference, "fast_mips": row.fast,
            }));
        }
    }
    println!("{}", serde_json::Value::from(json));
    Ok(())
}
