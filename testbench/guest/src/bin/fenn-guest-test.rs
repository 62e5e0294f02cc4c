//! Runs the checks of the XDMA driver's traps on a card of this machine.

#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "a program prints"))]

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser as _;
    linux::run(&linux::Arguments::parse())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("fenn-guest-test: the driver is Linux' own");
    std::process::exit(1);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    use fenn_guest_test::checks::{CHECKS, Setting, is_there};
    use fenn_host::transport::xdma::Options;

    /// Springs each trap of the XDMA driver and shows that the host library is not caught in it.
    ///
    /// To be run on a machine of one's own: it writes to the card's memories and makes its transfers fail.
    #[derive(Debug, clap::Parser)]
    #[command(
        after_help = "Example:\n  fenn-guest-test --faults /dev/xdma0_faults --reset /sbin/reset-card --timeout 3\n\nIt ends with 0 when every check has passed, else with 1."
    )]
    pub(super) struct Arguments {
        /// The number N in /dev/xdmaN_user
        #[arg(long, default_value_t = 0)]
        card: u32,
        /// Where faults are armed: a device that takes a line such as `hang` and answers `ok`
        #[arg(long)]
        faults: PathBuf,
        /// A program that resets the card's PCI function
        #[arg(long)]
        reset: PathBuf,
        /// Seconds after which the driver gives up a transfer
        #[arg(long, default_value_t = 10)]
        timeout: u64,
        /// How the driver wants source and destination to be aligned alike
        #[arg(long, default_value_t = 1)]
        alignment: usize,
        /// Only checks with this in their names
        #[arg(long)]
        only: Option<String>,
    }

    pub(super) fn run(arguments: &Arguments) -> ExitCode {
        let setting = Setting {
            options: Options::card(arguments.card),
            faults: arguments.faults.clone(),
            reset: arguments.reset.clone(),
            timeout: Duration::from_secs(arguments.timeout),
            alignment: arguments.alignment,
        };
        if !is_there(&setting.options) {
            eprintln!("fenn-guest-test: {} is not there", setting.options.device("user").display());
            return ExitCode::FAILURE;
        }
        let (mut passed, mut failed) = (0, 0);
        for check in CHECKS {
            if arguments.only.as_ref().is_some_and(|only| !check.name.contains(only.as_str())) {
                continue;
            }
            let began = Instant::now();
            let (word, text) = match check.run(&setting) {
                Ok(text) => {
                    passed += 1;
                    ("ok", text)
                }
                Err(text) => {
                    failed += 1;
                    ("FAILED", text)
                }
            };
            println!("{word} {} [{:.1} s]: {}", check.name, began.elapsed().as_secs_f64(), text.replace('\n', " | "));
        }
        println!("{passed} passed, {failed} failed");
        if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
