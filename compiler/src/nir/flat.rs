//! Graphs without graphs in them.

use std::collections::BTreeMap;

use super::{Edge, Graph, Node};

impl Graph {
    /// The same graph with every nested graph taken apart: its nodes are called `GRAPH.NODE`, and its Input and Output
    /// become nodes that pass on what they get (a [`Node::Flatten`] that flattens nothing).
    ///
    /// # Errors
    /// The names of the nested graphs that have not exactly one Input and one Output, and of the nodes whose new name
    /// another has already.
    pub fn flattened(&self) -> Result<Graph, Vec<String>> {
        let mut flat = Graph { version: self.version.clone(), nodes: BTreeMap::new(), edges: Vec::new() };
        let mut wrong = Vec::new();
        let mut ends: BTreeMap<&str, [String; 2]> = BTreeMap::new();
        for (name, node) in &self.nodes {
            let Node::Graph(inner) = node else {
                if flat.nodes.insert(name.clone(), node.clone()).is_some() {
                    wrong.push(name.clone());
                }
                continue;
            };
            let inner = match inner.flattened() {
                Ok(inner) => inner,
                Err(names) => {
                    wrong.extend(names.into_iter().map(|inner| format!("{name}.{inner}")));
                    continue;
                }
            };
            let own = |inner: &str| format!("{name}.{inner}");
            let only = |mut names: Vec<String>| names.pop().filter(|_| names.is_empty());
            let input = only(inner.inputs().map(|(inner, _)| own(inner)).collect());
            let output = only(inner.outputs().map(|(inner, _)| own(inner)).collect());
            match (input, output) {
                (Some(input), Some(output)) => ends.insert(name, [input, output]),
                _ => {
                    wrong.push(name.clone());
                    continue;
                }
            };
            for (inner, node) in inner.nodes {
                let passes = matches!(node, Node::Input { .. } | Node::Output { .. });
                let node = if passes { identity() } else { node };
                if flat.nodes.insert(own(&inner), node).is_some() {
                    wrong.push(own(&inner));
                }
            }
            flat.edges.extend(inner.edges.iter().map(|edge| Edge { from: own(&edge.from), to: own(&edge.to) }));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for Edge { from, to } in &self.edges {
            let from = ends.get(from.as_str()).map_or(from, |[_, output]| output);
            let to = ends.get(to.as_str()).map_or(to, |[input, _]| input);
            flat.edges.push(Edge { from: from.clone(), to: to.clone() });
        }
        Ok(flat)
    }
}

fn identity() -> Node {
    Node::Flatten { input_shape: None, start_dim: 0, end_dim: 0 }
}
