//! A compiled network on a card, sample by sample what it is on the simulator.

use std::sync::atomic::{AtomicU32, Ordering};

use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::evaluate::{Options, evaluate};
use fenn_host::sim::Simulator;
use fenn_host::transport::sim::{Options as CardOptions, SimulatedCard};
use fenn_isa::image::Image;
use fenn_isa::timing::FUNCTIONAL;
use fenn_testbench::tools::run;

/// Yin-Yang, with everything recorded, one sample for each launch and several.
#[test]
fn yin_yang() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_string_lossy().into_owned();
    let (spikes, labels) = (text("spikes.npy"), text("labels.npy"));
    run("yin-yang", &["data", "--split", "test", "--out-spikes", &spikes, "--labels", &labels]).unwrap();
    let network = ["programs/yin-yang/yin-yang.nir", "--dt", "0.0005", "--steps", "80", "--readout", "max"];
    for (batch, record) in [("1", "all"), ("3", "spikes")] {
        let elf = text("network.elf");
        run("fenn-cc", &[&network[..], &["--batch", batch, "--record", record, "-o", &elf]].concat()).unwrap();
        let image = Image::read(path("network.elf")).unwrap();
        let shape = Shape::from(image.manifest.as_ref().unwrap());
        let selection = Selection { limit: Some(100), ..Selection::default() };
        let dataset = Dataset::read(&path("spikes.npy"), Some(&path("labels.npy")), &shape, selection).unwrap();
        // What a branch takes depends on what its core has done before, so each instruction takes a cycle here.
        let machine = fenn_iss::Options { profile: FUNCTIONAL, ..fenn_iss::Options::default() };
        let options = Options { record: true, ..Options::default() };
        let simulator = || Simulator::with_options(image.config, machine);
        let expected = evaluate(&image, &dataset, simulator, options, |_| ()).unwrap();
        assert!(expected.score.as_ref().unwrap().accuracy() > 0.9);
        for (cores, alignment) in [(1, 64), (2, 4)] {
            let dram_bytes = u64::from(cores) << 24;
            let card = CardOptions { cores, alignment, machine, dram_bytes, ..CardOptions::default() };
            let card = Card::open(SimulatedCard::new(card).unwrap()).unwrap();
            let next = AtomicU32::new(0);
            let open = || Ok(card.core(next.fetch_add(1, Ordering::Relaxed))?);
            let options = Options { jobs: cores as usize, ..options };
            let found = evaluate(&image, &dataset, open, options, |_| ()).unwrap();
            assert_eq!(found.jobs, cores as usize);
            assert!(found.samples == expected.samples, "batch {batch}, {cores} cores");
            assert_eq!(found.score, expected.score);
        }
    }
}
