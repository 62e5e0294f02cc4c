//! The published measurements of the Vogels–Abbott benchmark, row by row.

use std::path::Path;

use crate::program::Failure;

/// A network that a board ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// Which.
    pub network: Network,
    /// Whether weights were in DRAM, or in vector memory.
    pub dram: bool,
    /// Whether rows were whole, or had the synapses only.
    pub dense: bool,
    /// Of excitatory and inhibitory neurons in one second.
    pub spikes: [f64; 2],
    /// For one second of the network's time.
    pub seconds: f64,
    /// Of the neuron update and of event processing, in 1,000 steps.
    pub cycles: [f64; 2],
    /// Places in the row of an excitatory and of an inhibitory neuron, for both targets together.
    pub strides: [f64; 2],
}

/// A network that a GPU ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    /// Which.
    pub network: Network,
    /// As for a board.
    pub dense: bool,
    /// As for a board.
    pub spikes: [f64; 2],
    /// As for a board.
    pub seconds: f64,
}

/// Size and connectivity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// Excitatory neurons; there are a quarter as many inhibitory ones.
    pub excitatory: usize,
    /// Of a pair to be joined.
    pub probability: f64,
}

impl Network {
    /// All neurons.
    pub fn neurons(&self) -> usize {
        self.excitatory + self.excitatory / 4
    }

    /// Excitatory and inhibitory ones.
    pub fn sizes(&self) -> [usize; 2] {
        [self.excitatory, self.excitatory / 4]
    }
}

/// Rows of a table, by the names of its columns.
struct Rows<'a> {
    header: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty()).map(|line| line.split(',').collect());
        Self { header: lines.next().unwrap_or_default(), rows: lines.collect() }
    }

    fn text(&self, row: usize, column: &str) -> Result<&'a str, Failure> {
        let index = self.header.iter().position(|name| *name == column).ok_or(format!("no column `{column}`"))?;
        Ok(self.rows[row].get(index).ok_or_else(|| format!("row {} is too short", row + 1))?.trim())
    }

    fn number(&self, row: usize, column: &str) -> Result<f64, Failure> {
        let text = self.text(row, column)?;
        text.parse().map_err(|_| format!("`{text}` in column `{column}` is no number").into())
    }

    fn network(&self, row: usize) -> Result<Network, Failure> {
        let excitatory = self.number(row, "Num excitatory neurons")? as usize;
        Ok(Network { excitatory, probability: self.number(row, "Probability of connection")? })
    }

    fn spikes(&self, row: usize) -> Result<[f64; 2], Failure> {
        Ok([self.number(row, "Num excitatory spikes")?, self.number(row, "Num inhibitory spikes")?])
    }
}

/// What the published board took.
///
/// # Errors
/// The file is not what it was.
pub fn boards(path: &Path) -> Result<Vec<Board>, Failure> {
    let text = std::fs::read_to_string(path)?;
    let table = Rows::new(&text);
    let board = |row| {
        let stride = |name: &str| table.number(row, name);
        Ok(Board {
            network: table.network(row)?,
            dram: table.text(row, "Using DRAM for weights")? == "True",
            dense: table.text(row, "Dense connectivity")? == "True",
            spikes: table.spikes(row)?,
            seconds: table.number(row, "Simulation time [s]")?,
            cycles: [table.number(row, "Num neuron update cycles")?, table.number(row, "Num event processing cycles")?],
            strides: [stride("EE stride")? + stride("EI stride")?, stride("IE stride")? + stride("II stride")?],
        })
    };
    (0..table.rows.len()).map(board).collect()
}

/// What a GPU took.
///
/// # Errors
/// The file is not what it was.
pub fn gpus(path: &Path) -> Result<Vec<Gpu>, Failure> {
    let text = std::fs::read_to_string(path)?;
    let table = Rows::new(&text);
    let gpu = |row| {
        Ok(Gpu {
            network: table.network(row)?,
            dense: table.text(row, "Dense connectivity")? == "True",
            spikes: table.spikes(row)?,
            seconds: table.number(row, "Simulation time [s]")?,
        })
    };
    (0..table.rows.len()).map(gpu).collect()
}
