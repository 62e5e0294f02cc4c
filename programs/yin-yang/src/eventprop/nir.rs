//! A trained network as a NIR graph.
//!
//! A NIR graph has a delay per neuron, not per synapse. [`Deployed::to_graph`] gives every synapse its own all the same, with
//! standard nodes: beside each other, `Delay` nodes that delay each input by one of the lengths its synapses have, each with a
//! `Linear` node of the synapses of that length.

use fenn_compiler::nir::{CubaLi, CubaLif, Edge, Graph, Matrix, Node, Tensor};

use super::export::{Deployed, ExportError};
use super::loss::Loss;
use super::stepped;
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

impl Deployed {
    /// The network as a NIR graph, whose spikes and potentials are those of [`stepped`] with `fenn-cc`'s options
    /// [`Deployed::nir_options`].
    ///
    /// # Errors
    /// [`ExportError::Readout`]: NIR has no readout, and `fenn-cc` reads a mean, or a maximum.
    pub fn to_graph(&self) -> Result<Graph, ExportError> {
        self.nir_readout()?;
        let (model, hidden) = (&self.model, self.network.hidden_len());
        let [alpha, beta] = [model.tau_mem, model.tau_syn].map(|tau| libm::exp(-model.dt / tau));
        // In a step, exponential Euler multiplies an input by 1 − β and a current by 1 − α. The graph's factor makes `g` of it.
        let factor = stepped::gain(model) / ((1.0 - alpha) * (1.0 - beta));
        let (tau_mem, tau_syn) = (model.tau_mem / 1e3, model.tau_syn / 1e3);
        let mut nodes = vec![
            ("input".to_owned(), Node::Input { shape: vec![INPUTS] }),
            (
                "hidden".to_owned(),
                Node::CubaLif(CubaLif {
                    shape: vec![hidden],
                    tau_syn: vec![tau_syn; hidden],
                    tau_mem: vec![tau_mem; hidden],
                    r: vec![1.0; hidden],
                    v_leak: vec![0.0; hidden],
                    v_threshold: vec![model.threshold; hidden],
                    v_reset: vec![0.0; hidden],
                    w_in: vec![factor; hidden],
                }),
            ),
            (
                "fc2".to_owned(),
                Node::Linear { weight: Matrix { rows: CLASSES, cols: hidden, data: self.network.w_out.clone() } },
            ),
            (
                "readout".to_owned(),
                Node::CubaLi(CubaLi {
                    shape: vec![CLASSES],
                    tau_syn: vec![tau_syn; CLASSES],
                    tau_mem: vec![tau_mem; CLASSES],
                    r: vec![1.0; CLASSES],
                    v_leak: vec![0.0; CLASSES],
                    w_in: vec![factor; CLASSES],
                }),
            ),
            ("output".to_owned(), Node::Output { shape: vec![CLASSES] }),
        ];
        let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned() };
        let mut edges = Vec::new();
        for (index, (steps, weight)) in self.branches().into_iter().enumerate() {
            let (delay, linear) = (format!("delay{index}"), format!("fc1_{index}"));
            nodes.push((linear.clone(), Node::Linear { weight }));
            if steps == [0; INPUTS] {
                edges.push(edge("input", &linear));
            } else {
                let data = steps.iter().map(|&steps| f64::from(steps) * model.dt / 1e3).collect();
                nodes.push((delay.clone(), Node::Delay { delay: Tensor { shape: vec![INPUTS], data } }));
                edges.extend([edge("input", &delay), edge(&delay, &linear)]);
            }
            edges.push(edge(&linear, "hidden"));
        }
        edges.extend([edge("hidden", "fc2"), edge("fc2", "readout"), edge("readout", "output")]);
        Ok(Graph { version: "1.0".to_owned(), nodes: nodes.into_iter().collect(), edges })
    }

    /// The options of `fenn-cc` that a graph of [`Deployed::to_graph`] needs. A feed-forward edge of a graph acts within its step,
    /// so that the last step has nothing to do there.
    ///
    /// # Errors
    /// As for [`Deployed::to_graph`].
    pub fn nir_options(&self) -> Result<String, ExportError> {
        let (dt, steps, readout) = (self.model.dt / 1e3, self.model.steps() - 1, self.nir_readout()?);
        Ok(format!("--dt {dt} --steps {steps} --method exponential-euler --readout {readout}"))
    }

    fn nir_readout(&self) -> Result<&'static str, ExportError> {
        match self.loss {
            Loss::Average | Loss::TimeSoftmax | Loss::MeanSquare => Ok("mean"),
            Loss::Max => Ok("max"),
            Loss::Weighted | Loss::FirstSpike => {
                let instead = "another loss, or, for `Weighted`, the folder with a description";
                Err(ExportError::Readout { form: "NIR", loss: self.loss, instead })
            }
        }
    }

    /// The synapses in groups of which each has one delay per input: these, in steps, and the weights.
    fn branches(&self) -> Vec<([u32; INPUTS], Matrix)> {
        let hidden = self.network.hidden_len();
        let delays: Vec<u32> = self.network.delays.iter().map(|&delay| self.model.in_steps(delay)).collect();
        let lengths: [Vec<u32>; INPUTS] = std::array::from_fn(|input| {
            let mut lengths = delays[input * hidden..][..hidden].to_vec();
            lengths.sort_unstable();
            lengths.dedup();
            lengths
        });
        let groups = lengths.iter().map(Vec::len).max().unwrap_or(0);
        let group = |index: usize| {
            let mut weight = Matrix { rows: hidden, cols: INPUTS, data: vec![0.0; hidden * INPUTS] };
            let steps = std::array::from_fn(|input| {
                let Some(&steps) = lengths[input].get(index) else { return 0 };
                for n in 0..hidden {
                    if delays[input * hidden + n] == steps {
                        weight.data[n * INPUTS + input] = self.network.w_in[input * hidden + n];
                    }
                }
                steps
            });
            (steps, weight)
        };
        (0..groups).map(group).collect()
    }
}
