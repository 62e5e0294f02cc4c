//! Makes the XDMA driver's character devices in front of a simulated card, for tests in a guest.

#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "a program prints"))]

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser as _;
    let arguments = linux::Arguments::parse();
    match fenn_guest_test::emulation::run(arguments.options(), || println!("ready")) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fenn-cuse: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("fenn-cuse: CUSE is Linux' own");
    std::process::exit(1);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use fenn_guest_test::emulation::Options;

    /// Makes xdma0's character devices in front of a simulated card. It says `ready` when they are there, and ends when one of
    /// them fails.
    #[derive(Debug, clap::Parser)]
    #[command(after_help = "Example:\n  fenn-cuse --cores 2 --timeout 3 &\n  fenn-run info xdma0")]
    pub(super) struct Arguments {
        /// Cores of the card
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
        cores: u32,
        /// Seconds until a transfer that does not end is given up
        #[arg(long, default_value_t = 10)]
        timeout: u64,
        /// Source and destination are aligned alike, to this power of two
        #[arg(long, default_value_t = 64)]
        alignment: u32,
        /// Microseconds that 128 KiB take
        #[arg(long, default_value_t = 1000)]
        pace: u64,
    }

    impl Arguments {
        pub(super) fn options(&self) -> Options {
            Options {
                cores: self.cores,
                timeout: Duration::from_secs(self.timeout),
                alignment: self.alignment.next_power_of_two(),
                pace: Duration::from_micros(self.pace),
            }
        }
    }
}
