//! The report: well-formed, complete, and safe whatever a program is called.

mod support;

use std::time::Duration;

use fenn_host::dataset::Dataset;
use fenn_host::evaluate::{Evaluation, Options, evaluate};
use fenn_host::sim::Simulator;
use fenn_host::{report, summary};
use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Readout, StatePolicy};
use support::{UNITS, check_page as check, image, samples};

fn evaluation(image: &Image, dataset: &Dataset) -> Evaluation {
    let options = Options { capture: Some(0), ..Options::default() };
    let mut evaluation = evaluate(image, dataset, || Simulator::new(image.config), options, |_| ()).unwrap();
    evaluation.wall = Duration::from_millis(1500);
    evaluation
}

fn labelled(count: usize) -> Dataset {
    Dataset::new(samples(count), Some((0..count as u32).map(|index| index % UNITS).collect()))
}

#[test]
fn a_page_has_all_its_figures() {
    let page = report::html(&evaluation(&image(StatePolicy::Reset, Readout::Max), &labelled(50)));
    let count = check(&page);
    // Confusion matrix, spikes, values, readout; every run of this program takes the same number of instructions.
    assert_eq!(count["svg"], 4);
    assert_eq!(count["figure"], 4);
    assert_eq!(count["svg"], page.matches("role=\"img\"").count());
    assert_eq!(count["desc"], 4);
    for text in ["Confusion matrix", "sums &lt;&amp;&gt;", "s11.4", "by hand", "reset before each sample"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn names_are_escaped() {
    let mut image = image(StatePolicy::Reset, Readout::Last);
    let manifest = image.manifest.as_mut().unwrap();
    let bad = "</title></svg><script>alert(1)</script>\"'&";
    manifest.name = bad.to_owned();
    manifest.generator = bad.to_owned();
    manifest.inputs.iter_mut().for_each(|input| input.name = bad.to_owned());
    manifest.outputs.iter_mut().for_each(|output| output.name = bad.to_owned());
    manifest
        .recordings
        .iter_mut()
        .for_each(|recording| (recording.population, recording.name) = (bad.to_owned(), bad.to_owned()));
    manifest.populations.iter_mut().for_each(|population| {
        population.name = bad.to_owned();
        population.variables.iter_mut().for_each(|variable| variable.name = bad.to_owned());
    });
    check(&report::html(&evaluation(&image, &labelled(3))));
}

#[test]
fn pages_of_little_are_pages() {
    let silent = Dataset::new([vec![]], None);
    for readout in [Readout::Last, Readout::Mean, Readout::Max, Readout::Count] {
        let mut image = image(StatePolicy::Reset, readout);
        check(&report::html(&evaluation(&image, &silent)));
        let manifest = image.manifest.as_mut().unwrap();
        manifest.recordings.clear();
        manifest.populations.clear();
        manifest.time_step_ms = None;
        manifest.seed = None;
        check(&report::html(&evaluation(&image, &silent)));
        let mut nothing_looked_at = evaluation(&image, &silent);
        nothing_looked_at.capture = None;
        check(&report::html(&nothing_looked_at));
    }
}

#[test]
fn different_costs_make_a_histogram() {
    let mut evaluation = evaluation(&image(StatePolicy::Reset, Readout::Count), &labelled(50));
    for (extra, sample) in evaluation.samples.iter_mut().enumerate() {
        sample.finished.instructions += extra as u64;
    }
    evaluation.instructions.max = evaluation.instructions.min + 49;
    let page = report::html(&evaluation);
    check(&page);
    assert!(page.contains("<title>62 to 63: 2 samples</title>"));
    evaluation.instructions.max = u64::MAX;
    evaluation.samples[0].finished.instructions = u64::MAX;
    check(&report::html(&evaluation));
}

#[test]
fn the_text_has_the_figures() {
    let mut evaluation = evaluation(&image(StatePolicy::Carried, Readout::Count), &labelled(4));
    evaluation.samples[0].finished.instructions = 99;
    let text = summary::text(&evaluation);
    let score = evaluation.score.as_ref().unwrap();
    let accuracy = format!("accuracy      {:.2} % ({} of 4)\n", 100.0 * score.accuracy(), score.correct);
    assert!(text.contains(&accuracy), "{text}");
    assert!(text.contains("instructions  61.2 per sample (61 to 62), 245 in all\n"), "{text}");
    assert!(text.contains("time          1.50 s, 0.0 MIPS on one device\n"), "{text}");
    let matrix: Vec<&str> = text.lines().rev().take(6).collect();
    assert_eq!(matrix[5], "label \\ class   0  1  2  3  4   recall");
    assert!(matrix[0].ends_with('-'), "no sample has label 4: {text}");
    let json = summary::json(&evaluation);
    assert_eq!(json["samples"], 4);
    assert_eq!(json["seed"], 7);
    assert_eq!(json["instructions"]["total"], 245);
    assert_eq!(json["classes"].as_array().unwrap().len(), 4);
    assert_eq!(summary::outputs(&evaluation).lines().count(), 4);
}
