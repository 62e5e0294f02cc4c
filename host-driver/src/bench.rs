//! How fast the way to a card is.
//!
//! Contract: transfers of each size are repeated for as long as [`Options::time`] says, one at a time, to one memory of one core and
//! from it. What is written is what was there, so that the memory is as before; no program may run. Rates are those of a
//! caller of [`Core`], with everything on the way.

use std::time::{Duration, Instant};

use fenn_isa::memory::Space;
use maud::html;
use serde_json::{Value, json};

use crate::card::{Card, Core};
use crate::device::Device;
use crate::error::DeviceError;
use crate::report::svg::{Scale, at, short};
use crate::transport::Transport;

/// The most transfers of one size that are timed.
const MOST_TRANSFERS: usize = 1 << 16;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a transfer; those that the memory has no room for are left out.
    pub sizes: Vec<u32>,
    /// For each size and direction.
    pub time: Duration,
}

impl Default for Options {
    /// From 64 bytes to 4 MiB in steps of four, a fifth of a second each.
    fn default() -> Self {
        Self { sizes: (3..=11).map(|power| 1 << (2 * power)).collect(), time: Duration::from_millis(200) }
    }
}

/// Transfers of one size in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub transfers: u64,
    /// All together.
    pub time: Duration,
    /// The fastest one.
    pub fastest: Duration,
    /// The one in the middle.
    pub median: Duration,
}

/// Both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Bytes of a transfer.
    pub bytes: u32,
    /// To the card.
    pub write: Rate,
    /// From the card.
    pub read: Rate,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// The card and core.
    pub device: String,
    /// The memory.
    pub space: Space,
    /// Reads of one register.
    pub register: Rate,
    /// By size.
    pub rows: Vec<Row>,
}

impl Rate {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        Self {
            transfers: times.len() as u64,
            time: times.iter().sum(),
            fastest: times.first().copied().unwrap_or_default(),
            median: middle,
        }
    }

    /// Bytes per second, where each transfer had so many.
    pub fn bytes_per_second(&self, bytes: u32) -> f64 {
        self.transfers as f64 * f64::from(bytes) / self.time.as_secs_f64().max(1e-9)
    }

    fn json(&self, bytes: u32) -> Value {
        json!({
            "transfers": self.transfers,
            "bytes_per_second": self.bytes_per_second(bytes),
            "median_us": self.median.as_secs_f64() * 1e6,
            "fastest_us": self.fastest.as_secs_f64() * 1e6,
        })
    }
}

/// Measures a core's way: DRAM where it has any, vector memory otherwise. `progress` is told how many sizes are done, of how
/// many.
///
/// # Errors
/// The device's.
pub fn measure<T: Transport>(
    card: &Card<T>,
    core: &mut Core<T>,
    options: &Options,
    mut progress: impl FnMut(usize, usize),
) -> Result<Bench, DeviceError> {
    let config = core.config();
    let space = if config.dram_bytes > 0 { Space::Dram } else { Space::Vector };
    let sizes: Vec<u32> =
        options.sizes.iter().copied().filter(|size| (1..=config.bytes(space)).contains(size)).collect();
    let most = sizes.iter().copied().max().unwrap_or(0);
    let mut bytes = vec![0; most as usize];
    core.read(space, 0, &mut bytes)?;
    let register = Rate::of(card.register_times(1000)?);
    let mut rows = Vec::new();
    for (size, done) in sizes.iter().zip(0..) {
        progress(done, sizes.len());
        let part = &mut bytes[..*size as usize];
        let write = repeat(options.time, || core.write(space, 0, part))?;
        // Read into a buffer that holds what is there, so that a faulty way cannot make the next writes change it.
        let mut out = part.to_vec();
        let read = repeat(options.time, || core.read(space, 0, &mut out))?;
        rows.push(Row { bytes: *size, write, read });
    }
    progress(sizes.len(), sizes.len());
    let device = format!("{}, core {}", core.name(), core.index());
    Ok(Bench { device, space, register, rows })
}

fn repeat(time: Duration, mut transfer: impl FnMut() -> Result<(), DeviceError>) -> Result<Rate, DeviceError> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || (begin.elapsed() < time && times.len() < MOST_TRANSFERS) {
        let begin = Instant::now();
        transfer()?;
        times.push(begin.elapsed());
    }
    Ok(Rate::of(times))
}

/// As a table.
pub fn text(bench: &Bench) -> String {
    let Bench { device, space, register, rows } = bench;
    let micro = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e6);
    let mut out = format!(
        "device      {device}, {space}\nregister    {} us median, {} us fastest\n\n",
        micro(register.median),
        micro(register.fastest)
    );
    out.push_str("     bytes   write MB/s    median us    read MB/s    median us\n");
    for Row { bytes, write, read } in rows {
        let mega = |rate: &Rate| format!("{:.1}", rate.bytes_per_second(*bytes) / 1e6);
        out.push_str(&format!(
            "{bytes:>10} {:>12} {:>12} {:>12} {:>12}\n",
            mega(write),
            micro(write.median),
            mega(read),
            micro(read.median)
        ));
    }
    out
}

/// For machines.
pub fn json(bench: &Bench) -> Value {
    let Bench { device, space, register, rows } = bench;
    let row =
        |row: &Row| json!({ "bytes": row.bytes, "write": row.write.json(row.bytes), "read": row.read.json(row.bytes) });
    json!({
        "device": device,
        "memory": space.to_string(),
        "register": {
            "median_us": register.median.as_secs_f64() * 1e6,
            "fastest_us": register.fastest.as_secs_f64() * 1e6,
        },
        "sizes": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

/// A figure: bytes per second over bytes of a transfer, both in powers of ten.
pub fn svg(bench: &Bench) -> String {
    const SIZE: (f64, f64) = (760.0, 420.0);
    const BOX: (f64, f64, f64, f64) = (78.0, 56.0, 690.0, 360.0);
    let rates = |of: fn(&Row) -> &Rate| -> Vec<(f64, f64)> {
        let point = |row: &Row| (f64::from(row.bytes).log10(), of(row).bytes_per_second(row.bytes).max(1.0).log10());
        bench.rows.iter().map(point).collect()
    };
    let lines = [("to the card", "write", rates(|row| &row.write)), ("from the card", "read", rates(|row| &row.read))];
    let points = || lines.iter().flat_map(|(_, _, points)| points);
    let (least, most) = points().fold((f64::MAX, f64::MIN), |(a, b), (_, y)| (a.min(*y), b.max(*y)));
    let (least, most) = if least > most { (0.0, 1.0) } else { (least.floor(), most.ceil()) };
    let left = points().map(|(x, _)| *x).fold(f64::MAX, f64::min);
    let right = points().map(|(x, _)| *x).fold(f64::MIN, f64::max);
    let (left, right) = if left > right { (0.0, 1.0) } else { (left, right) };
    let x = Scale::new(left, right, BOX.0, BOX.2);
    let y = Scale::new(least, most, BOX.3, BOX.1);
    let path = |points: &[(f64, f64)]| {
        let points = points.iter().map(|(a, b)| format!("{},{}", at(x.at(*a)), at(y.at(*b))));
        points.collect::<Vec<_>>().join(" ")
    };
    let decades = || least as i32..=most as i32;
    let size = |bytes: u32| match bytes {
        1_048_576.. => format!("{} Mi", short(f64::from(bytes) / 1_048_576.0)),
        1024.. => format!("{} Ki", short(f64::from(bytes) / 1024.0)),
        _ => bytes.to_string(),
    };
    let rate = |decade: i32| match decade {
        9.. => format!("{} GB/s", 10u64.pow((decade - 9) as u32)),
        6..9 => format!("{} MB/s", 10u64.pow((decade - 6) as u32)),
        3..6 => format!("{} kB/s", 10u64.pow((decade - 3) as u32)),
        _ => format!("{} B/s", 10u64.pow(decade.max(0) as u32)),
    };
    let style = "svg { background: #fff; font: 13px system-ui, sans-serif; fill: #1d2430 } .grid { stroke: #e3e6ea } \
                 .soft { fill: #5c6675 } .line { fill: none; stroke-width: 2 } .write { stroke: #2563a8 } \
                 .read { stroke: #c2571a } .title { font-size: 16px; font-weight: 600 }";
    let figure = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox=(format!("0 0 {} {}", at(SIZE.0), at(SIZE.1)))
            width=(at(SIZE.0)) height=(at(SIZE.1)) {
            title { "Bytes per second by the size of a transfer" }
            style { (style) }
            text.title x=(at(BOX.0)) y="24" { "Bytes per second by the size of a transfer" }
            text.soft x=(at(BOX.0)) y="44" { (bench.device) ", " (bench.space) }
            @for decade in decades() {
                @let height = y.at(f64::from(decade));
                line.grid x1=(at(BOX.0)) x2=(at(BOX.2)) y1=(at(height)) y2=(at(height)) {}
                text.soft x=(at(BOX.0 - 8.0)) y=(at(height + 4.0)) text-anchor="end" { (rate(decade)) }
            }
            @for row in &bench.rows {
                text.soft x=(at(x.at(f64::from(row.bytes).log10()))) y=(at(BOX.3 + 20.0)) text-anchor="middle" { (size(row.bytes)) }
            }
            text.soft x=(at(BOX.2)) y=(at(BOX.3 + 42.0)) text-anchor="end" { "bytes of a transfer" }
            @for (_, class, points) in &lines {
                polyline class=(format!("line {class}")) points=(path(points)) {}
            }
            @for ((name, class, _), index) in lines.iter().zip(0..) {
                @let left = BOX.0 + 16.0 + 150.0 * f64::from(index);
                line class=(format!("line {class}")) x1=(at(left)) x2=(at(left + 24.0)) y1=(at(BOX.1 + 12.0)) y2=(at(BOX.1 + 12.0)) {}
                text x=(at(left + 30.0)) y=(at(BOX.1 + 16.0)) { (name) }
            }
        }
    };
    format!("{}\n", figure.into_string())
}
