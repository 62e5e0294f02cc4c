//! The remote protocol as a debugger speaks it, packet by packet. What GDB itself makes of it is the testbench's test.

#![cfg(unix)]

mod support;

use std::io::{self, Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use fenn_isa::csr::CSRS;
use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use fenn_iss::gdb::registers::{Reg, description};
use fenn_iss::gdb::{Ended, GdbError, Link, LinkError, serve};
use fenn_iss::{Limits, Machine, Options, Stop};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use support::{STRICT, bytes, image, machine, small, x};

/// A debugger, as far as these tests need one.
struct Client(UnixStream);

impl Client {
    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        self.0.write_all(format!("${packet}#{sum:02x}").as_bytes()).unwrap();
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).unwrap();
        byte[0]
    }

    /// The next reply, its run-length code undone.
    fn reply(&mut self) -> String {
        while self.byte() != b'$' {}
        let (mut text, mut sum) = (String::new(), 0u8);
        loop {
            let byte = self.byte();
            match byte {
                b'#' => break,
                b'*' => {
                    let count = self.byte();
                    sum = sum.wrapping_add(byte).wrapping_add(count);
                    let last = text.chars().next_back().unwrap();
                    (0..count - 29).for_each(|_| text.push(last));
                    continue;
                }
                b'}' => {
                    let escaped = self.byte();
                    sum = sum.wrapping_add(escaped);
                    text.push(char::from(escaped ^ 0x20));
                }
                _ => text.push(char::from(byte)),
            }
            sum = sum.wrapping_add(byte);
        }
        let digits = [self.byte(), self.byte()].map(char::from);
        assert_eq!(String::from_iter(digits), format!("{sum:02x}"));
        self.0.write_all(b"+").unwrap();
        text
    }

    fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        self.reply()
    }

    fn monitor(&mut self, command: &str) -> String {
        let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.send(&format!("qRcmd,{hex}"));
        let mut text = String::new();
        loop {
            let reply = self.reply();
            let Some(output) = reply.strip_prefix('O').filter(|rest| *rest != "K") else {
                assert_eq!(reply, "OK");
                return text;
            };
            let digit = |at: usize| u8::from_str_radix(&output[at..at + 2], 16).unwrap();
            text.extend((0..output.len()).step_by(2).map(|at| char::from(digit(at))));
        }
    }
}

/// Lets `debug` speak to the machine.
fn session(machine: &mut Machine, debug: impl FnOnce(&mut Client) + Send) -> Result<Ended, GdbError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || debug(&mut Client(theirs)));
        serve(machine, Link::new(ours.try_clone().unwrap(), ours))
    })
}

/// Starts a transfer of 20 rows from DRAM, counts until it has arrived, and uses it in vector and lane-local memory.
const PROGRAM: [&str; 15] = [
    "addi t0, zero, 1280",
    "csrrw zero, mm2s_src_addr, zero",
    "csrrw zero, mm2s_dst_addr, t0",
    "csrrw zero, mm2s_count, t0",
    "csrrwi zero, mm2s_control, 1",
    "csrrs t1, mm2s_status, zero",
    "andi t1, t1, 2",
    "addi t2, t2, 1",
    "beq t1, zero, .-12",
    "vloadv v1, 1280(zero)",
    "vstorel v1, 4(v2)",
    "vloadl v3, 4(v2)",
    "sw t2, 8(zero)",
    "lhu a0, 8(zero)",
    "ecall",
];

fn prepared(options: Options) -> Machine {
    let mut machine = machine(&PROGRAM, options);
    machine.write(Space::Dram, 0, &bytes(&[11; 640])).unwrap();
    machine.state_mut().v[2].0 = core::array::from_fn(|lane| 2 * (lane as i16 % 8));
    machine
}

#[test]
fn a_debugged_run_is_the_same_run_in_the_same_cycles() {
    for profile in fenn_isa::timing::PROFILES {
        // A debugged machine is stepped; the engines leave different traces of results that nobody waits for any more.
        let options = Options { strict: false, profile: *profile, engine: fenn_iss::Engine::Reference };
        let mut plain = prepared(options);
        let outcome = plain.run(Limits::default(), &mut ());
        let mut debugged = prepared(options);
        let ended = session(&mut debugged, |gdb| {
            for address in (0..60).step_by(4) {
                assert_eq!(gdb.ask(&format!("Z0,{address:x},4")), "OK");
                assert_eq!(gdb.ask(&format!("Z1,{address:x},4")), "OK");
            }
            for watch in ["Z2,20000500,500", "Z3,20000000,1000", "Z4,30000000,2000", "Z2,10000008,4", "Z3,80000000,4"] {
                assert_eq!(gdb.ask(watch), "OK");
            }
            // Run into breakpoints, step off them, look at everything, until the program ends.
            let mut stops = [0; 3];
            loop {
                let said = gdb.ask("vCont;c");
                stops[0] += usize::from(said.contains("swbreak"));
                stops[1] += usize::from(said.contains("watch"));
                if said == "W00" {
                    break;
                }
                gdb.ask("g");
                assert_eq!(gdb.ask("p1042").len(), 128);
                // A look at the status is not one that the program takes.
                assert_eq!(gdb.ask("p1001").len(), 8);
                assert_eq!(gdb.ask("m20000500,40").len(), 128);
                let said = gdb.ask("vCont;s");
                stops[2] += usize::from(said.contains("watch"));
                if said == "W00" {
                    break;
                }
            }
            assert!(stops[0] > 20 && stops[2] > 3, "{stops:?}");
        });
        assert_eq!(ended.unwrap(), Ended::Exited(outcome.stop));
        assert_eq!(debugged.state(), plain.state());
        assert!(debugged.memory() == plain.memory());
        assert_eq!(debugged.timing(), plain.timing());
    }
}

#[test]
fn breakpoints_stop_before_their_instruction() {
    let mut machine = machine(&["addi a0, a0, 1", "addi a0, a0, 1", "jal zero, .-8"], Options::default());
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("Z0,4,4"), "OK");
        assert_eq!(gdb.ask("Z0,4,4"), "OK", "to set one twice is to set it once");
        let said = gdb.ask("c");
        assert!(said.starts_with("T05") && said.contains("swbreak:;"), "{said}");
        assert_eq!((gdb.ask("p20"), gdb.ask("pa")), ("04000000".to_owned(), "01000000".to_owned()));
        assert!(gdb.ask("c").contains("swbreak"), "also where execution begins");
        assert_eq!(gdb.ask("s"), "S05");
        assert_eq!(gdb.ask("pa"), "02000000");
        assert_eq!(gdb.ask("m4,4"), "13051500", "memory has not been patched: addi a0, a0, 1");
        assert_eq!(gdb.ask("z0,4,4"), "OK");
        assert_eq!(gdb.ask("z0,4,4"), "E16", "it is gone");
        assert_eq!(gdb.ask("Z1,0,4"), "OK");
        let said = gdb.ask("c");
        assert!(said.contains("hwbreak:;"), "{said}");
        for nowhere in ["Z0,2,4", "Z0,400,4", "Z1,10000000,4"] {
            assert_eq!(gdb.ask(nowhere), "E16", "{nowhere}");
        }
        assert_eq!(gdb.ask("D"), "OK");
    });
    assert_eq!(ended.unwrap(), Ended::Detached);
    assert_eq!(machine.state().pc, 0);
    assert_eq!(
        machine.run(Limits { instructions: Some(3), ..Limits::default() }, &mut ()).instructions,
        3,
        "it goes on by itself"
    );
}

#[test]
fn watchpoints_see_every_memory() {
    // Where byte address a of lane l is, by the manual: 32·(a & ~1) + 2·l behind the window's beginning.
    let lane = |address: u32, lane: u32| 0x3000_0000 + 32 * (address & !1) + 2 * lane;
    let run = |watch: &str, pc: &str, hit: &str| {
        let mut machine = prepared(Options::default());
        let ended = session(&mut machine, |gdb| {
            assert_eq!(gdb.ask(&format!("Z{watch}")), "OK");
            let said = gdb.ask("c");
            assert!(said.starts_with("T05") && said.contains(hit), "{watch}: {said}");
            assert_eq!(gdb.ask("p20"), pc, "{watch}: pc");
            assert_eq!(gdb.ask(&format!("z{watch}")), "OK");
            assert_eq!(gdb.ask("c"), "W00", "{watch}: only once");
        });
        assert!(matches!(ended, Ok(Ended::Exited(Stop::Ecall { pc: 56 }))), "{ended:?}");
    };
    // Scalar: `sw` is at 48, `lhu` at 52; stops are behind them.
    run("2,10000008,2", "34000000", "watch:10000008;");
    run("2,1000000b,1", "34000000", "watch:1000000b;");
    run("3,10000009,1", "38000000", "rwatch:10000009;");
    run("4,10000000,40", "34000000", "awatch:10000008;");
    // Vector memory, loaded at 36.
    run("3,20000520,2", "28000000", "rwatch:20000520;");
    // Lane 3 stores to its address 4 + 6; lane 4 does not.
    run(&format!("2,{:x},2", lane(10, 3)), "2c000000", &format!("watch:{:x};", lane(10, 3)));
    run(&format!("3,{:x},1", lane(10, 11) + 1), "30000000", &format!("rwatch:{:x};", lane(10, 11) + 1));
    // What goes round at the end of a lane's 256 bytes.
    let mut around = machine(&["vlui v1, 2046", "vlui v2, 5", "vstorel v2, 4(v1)", "ecall"], Options::default());
    let ended = session(&mut around, |gdb| {
        assert_eq!(gdb.ask(&format!("Z2,{:x},2", lane(2, 31))), "OK");
        assert!(gdb.ask("c").contains(&format!("watch:{:x};", lane(2, 31))));
        assert_eq!(gdb.ask(&format!("m{:x},2", lane(2, 31))), "0500");
        gdb.send("k");
    });
    assert_eq!(ended.unwrap(), Ended::Killed);
    let mut machine = prepared(Options::default());
    let ended = session(&mut machine, |gdb| {
        // Lane 4's halfword at address 10, code, nothing, and what is beyond an end.
        assert_eq!(gdb.ask(&format!("Z2,{:x},2", lane(10, 4))), "OK");
        for nowhere in ["Z2,0,4", "Z2,20000000,0", "Z4,20000ffe,4", "Z2,50000000,4"] {
            assert_eq!(gdb.ask(nowhere), "E16", "{nowhere}");
        }
        assert_eq!(gdb.ask("c"), "W00");
    });
    assert!(matches!(ended, Ok(Ended::Exited(_))));
}

#[test]
fn the_step_over_a_watched_access_has_been_made() {
    let mut machine = machine(&["sw zero, 8(zero)", "addi a0, a0, 1", "sw a0, 8(zero)", "ecall"], Options::default());
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("Z2,10000008,4"), "OK");
        assert!(gdb.ask("c").contains("watch:10000008"));
        // As GDB does it: away, step, back.
        assert_eq!(gdb.ask("z2,10000008,4"), "OK");
        assert_eq!((gdb.ask("s"), gdb.ask("p20")), ("S05".to_owned(), "04000000".to_owned()));
        assert_eq!(gdb.ask("Z2,10000008,4"), "OK");
        assert_eq!((gdb.ask("s"), gdb.ask("p20")), ("S05".to_owned(), "08000000".to_owned()));
        // A step is one where the watchpoint stays, or `pc` has been changed.
        assert!(gdb.ask("s").contains("watch:10000008"));
        assert_eq!(gdb.ask("P20=04000000"), "OK");
        assert_eq!(gdb.ask("z2,10000008,4"), "OK");
        assert_eq!((gdb.ask("s"), gdb.ask("pa")), ("S05".to_owned(), "02000000".to_owned()));
        assert_eq!(gdb.ask("c"), "W00");
    });
    assert!(matches!(ended, Ok(Ended::Exited(_))));
}

#[test]
fn watchpoints_see_the_dma_engine() {
    let mut machine = prepared(Options::default());
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("Z2,200009c0,2"), "OK", "a halfword of the last row that arrives");
        assert_eq!(gdb.ask("m200009c0,2"), "0000");
        let said = gdb.ask("c");
        assert!(said.contains("watch:200009c0;"), "{said}");
        assert_eq!(gdb.ask("m200009c0,2"), "0b00", "it has arrived");
        assert_eq!(gdb.ask("c"), "W00");
    });
    assert!(matches!(ended, Ok(Ended::Exited(_))));
    // A transfer that is completed because the program ends is told of first, then the end.
    let mut lines = PROGRAM;
    lines[5] = "ecall";
    let mut machine = Machine::from_image(&image(small(), &lines), Options::default()).unwrap();
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("Z3,80000040,1"), "OK");
        assert!(gdb.ask("c").contains("rwatch:80000040;"));
        assert_eq!(gdb.ask("c"), "W00");
    });
    assert_eq!(ended.unwrap(), Ended::Exited(Stop::Ecall { pc: 20 }));
}

#[test]
fn stops_are_signals() {
    let run = |lines: &[&str], options, said: &str, pc: &str| {
        let mut machine = machine(lines, options);
        let ended = session(&mut machine, |gdb| {
            assert_eq!(gdb.ask("c"), said, "{lines:?}");
            assert_eq!(gdb.ask("p20"), pc, "{lines:?}");
            assert_eq!(gdb.ask("c"), said, "{lines:?}: the same again");
            gdb.send("k");
        });
        assert_eq!(ended.unwrap(), Ended::Killed);
    };
    let plain = Options::default();
    run(&["addi a0, a0, 1", "ebreak"], plain, "S05", "04000000");
    run(&["csrrw zero, mhartid, zero"], plain, "S04", "00000000");
    run(&["addi t0, zero, 2", "vloadv v0, 0(t0)"], plain, "S0a", "04000000");
    run(&["lw a0, 1(zero)"], STRICT, "S0a", "00000000");
    run(&["lw a0, -4(zero)"], plain, "S0b", "00000000");
    run(&["sb a0, -4(zero)"], plain, "S0b", "00000000");
    run(&["addi t0, zero, 1024", "jalr zero, 0(t0)"], plain, "S0b", "00040000");
    let flagged =
        Image { ready_flag: Some(8), ..image(small(), &["addi t0, zero, 1", "sw t0, 8(zero)", "jal zero, .+0"]) };
    let mut machine = Machine::from_image(&flagged, plain).unwrap();
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("Z2,10000008,4"), "OK");
        assert!(gdb.ask("c").contains("watch:10000008"));
        assert_eq!(gdb.ask("c"), "W00", "the store has been told of, now the end");
    });
    assert_eq!(ended.unwrap(), Ended::Exited(Stop::ReadyFlag { pc: 4 }));
}

#[test]
fn what_was_wrong_can_be_put_right() {
    let mut machine = machine(&["lw a0, -4(a1)", "ecall"], Options::default());
    let ended = session(&mut machine, |gdb| {
        assert_eq!(gdb.ask("c"), "S0b");
        assert_eq!(gdb.ask("Pb=08000000"), "OK");
        assert_eq!(gdb.ask("M10000004,4:78563412"), "OK");
        assert_eq!(gdb.ask("vCont;C0b"), "W00");
    });
    assert_eq!(ended.unwrap(), Ended::Exited(Stop::Ecall { pc: 4 }));
    assert_eq!(machine.state().x(x(10)), 0x1234_5678);
}

#[test]
fn an_endless_program_is_interrupted() {
    let mut machine = machine(&["jal zero, .+0"], Options::default());
    let ended = session(&mut machine, |gdb| {
        gdb.send("c");
        gdb.0.write_all(&[3]).unwrap();
        assert_eq!(gdb.reply(), "S02");
        gdb.send("c");
        gdb.0.write_all(&[3]).unwrap();
        assert_eq!(gdb.reply(), "S02");
        gdb.send("k");
    });
    assert_eq!(ended.unwrap(), Ended::Killed);
    // A debugger that is gone without a word is an error, also while the program runs.
    let killed = session(&mut machine, |gdb| assert_eq!(gdb.ask("vKill;1"), "OK"));
    assert_eq!(killed.unwrap(), Ended::Killed);
    let gone = session(&mut machine, |gdb| gdb.send("c"));
    assert!(matches!(gone, Err(GdbError::Link(LinkError::Gone | LinkError::Broken(_)))), "{gone:?}");
}

#[test]
fn memory_and_registers_are_read_and_written() {
    let mut machine = machine(&["ecall"], Options::default());
    let ended = session(&mut machine, |gdb| {
        for (address, value) in [
            ("10000003", "aabbcc"),
            ("2000007f", "010203"),
            ("30000041", "0405"),
            ("800fffff", "06"),
            ("10", "13051500"),
        ] {
            let bytes = value.len() / 2;
            assert_eq!(gdb.ask(&format!("M{address},{bytes:x}:{value}")), "OK", "{address}");
            assert_eq!(gdb.ask(&format!("m{address},{bytes:x}")), value);
        }
        for nowhere in ["m100003ff,2", "m400,1", "m50000000,4", "M800fffff,2:0102", "m20000fff,2", "mffffffff,1"] {
            assert_eq!(gdb.ask(nowhere), "E0e", "{nowhere}");
        }
        assert_eq!(gdb.ask("P0=01000000"), "OK");
        assert_eq!(gdb.ask("p0"), "00000000", "x0 stays 0");
        assert_eq!(gdb.ask("P1f=01020304"), "OK");
        assert!(gdb.ask("g").ends_with("0102030400000000"), "t6, then pc");
        let row: String = (0..64).map(|byte| format!("{byte:02x}")).collect();
        for number in ["1042", "1061", "1062", "1063"] {
            assert_eq!(gdb.ask(&format!("P{number}={row}")), "OK");
            assert_eq!(gdb.ask(&format!("p{number}")), row);
        }
        // mtvec loses its low bits, misa keeps its value, and a transfer cannot be started from outside.
        assert_eq!(gdb.ask("P346=ff000000"), "OK");
        assert_eq!(gdb.ask("p346"), "fc000000");
        for unwritable in ["P342=00000000", "Pc04=01000000", "P1064=0000000000000000", "P1042=00", "P20=0000"] {
            assert_eq!(gdb.ask(unwritable), "E16", "{unwritable}");
        }
        assert_eq!(gdb.ask("pfff"), "", "no such register");
        gdb.send("k");
    });
    assert_eq!(ended.unwrap(), Ended::Killed);
    let state = machine.state();
    assert_eq!((state.v[31].0[1], state.generators.s1[31]), (0x0302, 0x3f3e));
    assert_eq!(state.x(x(31)), 0x0403_0201);
    assert_eq!(machine.memory().word(16), Some(0x0015_0513));
}

#[test]
fn the_description_is_what_is_there() {
    let mut machine = machine(&["ecall"], Options::default());
    let ended = session(&mut machine, |gdb| {
        let mut xml = String::new();
        loop {
            let part = gdb.ask(&format!("qXfer:features:read:target.xml:{:x},100", xml.len()));
            xml.push_str(&part[1..]);
            if part.starts_with('l') {
                break;
            }
        }
        assert_eq!(xml, description());
        let attribute = |line: &str, name: &str| {
            let rest = line.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let mut names = Vec::new();
        for line in xml.lines().filter(|line| line.starts_with("<reg ")) {
            let number: usize = attribute(line, "regnum").parse().unwrap();
            let bits: usize = attribute(line, "bitsize").parse().unwrap();
            assert_eq!(gdb.ask(&format!("p{number:x}")).len(), bits / 4, "{line}");
            let reg = Reg::from_number(number).unwrap();
            assert_eq!((reg.number(), 8 * reg.bytes().get()), (number, bits), "{line}");
            names.push(attribute(line, "name"));
        }
        assert_eq!(names.len(), 33 + CSRS.len() + 32 + 2 + 2);
        let mut map = gdb.ask("qXfer:memory-map:read::0,1000");
        assert!(map.contains("start=\"0x30000000\" length=\"0x2000\""), "{map}");
        map = gdb.ask("qXfer:memory-map:read::ffffff,1000");
        assert_eq!(map, "l");
        gdb.send("k");
    });
    assert_eq!(ended.unwrap(), Ended::Killed);
}

#[test]
fn monitor_commands_say_what_gdb_cannot_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.snap");
    let name = file.to_str().unwrap();
    let other = folder.path().join("other.snap");
    let config = fenn_isa::memory::MachineConfig::default();
    Machine::new(config, Options::default()).unwrap().write_snapshot(&other).unwrap();
    let mut machine = prepared(Options::default());
    let mut plain = machine.clone();
    let outcome = plain.run(Limits::default(), &mut ());
    let ended = session(&mut machine, |gdb| {
        assert!(gdb.monitor("help").contains("snapshot FILE"));
        assert!(gdb.monitor("").contains("snapshot FILE"));
        assert_eq!(gdb.ask("Z0,30,4"), "OK");
        assert!(gdb.ask("c").contains("swbreak"));
        assert_eq!(gdb.monitor("lane 3 10"), "lane 3, 0xa: 11\n");
        assert_eq!(gdb.monitor(" lane 3 0x8  3 "), "lane 3, 0x8: 0 11 0\n");
        for wrong in ["lane 32 0", "lane 0 256", "lane 0 1", "lane 0 254 2", "lane x 0", "lane 1"] {
            assert!(!gdb.monitor(wrong).contains(':'), "{wrong}");
        }
        assert_eq!(gdb.monitor(&format!("snapshot {name}")), format!("written to {name}\n"));
        assert!(gdb.monitor("state").contains("mm2s: idle, status 0x82"));
        let cycles = gdb.monitor("cycles");
        assert!(gdb.monitor("stalls").contains("branch"));
        assert_eq!(gdb.ask("z0,30,4"), "OK");
        assert_eq!(gdb.ask("s"), "S05");
        assert_ne!(gdb.monitor("cycles"), cycles);
        assert!(gdb.monitor(&format!("restore {name}")).starts_with("restored"));
        assert_eq!(gdb.monitor("cycles"), cycles);
        assert!(gdb.monitor(&format!("restore {}", other.display())).contains("other memories"));
        assert!(gdb.monitor("restore /no/such").contains("cannot read"));
        assert!(gdb.monitor("snapshot /no/such/file").contains("cannot write"));
        assert!(gdb.monitor("jump").contains("no command `jump`"));
        assert_eq!(gdb.ask("p20"), "30000000");
        assert_eq!(gdb.ask("c"), "W00");
    });
    assert_eq!(ended.unwrap(), Ended::Exited(outcome.stop));
    assert_eq!(machine.state(), plain.state());
    let ended = session(&mut machine, |gdb| {
        assert!(gdb.monitor("reset").starts_with("reset"));
        assert!(gdb.monitor("cycles").starts_with("0 cycles (fenn), 0 instructions"));
        gdb.send("k");
    });
    assert_eq!(ended.unwrap(), Ended::Killed);
}

/// Whatever a client says, the session ends in a value.
#[test]
fn no_client_does_harm() {
    let mut source = Pcg32::seed_from_u64(9);
    let mut below = |bound: usize| ((u64::from(source.next_u32()) * bound as u64) >> 32) as usize;
    let packets = [
        "qSupported:multiprocess+",
        "g",
        "p20",
        "p1042",
        "P1042=00",
        "m10000000,40",
        "m800fffc0,40",
        "M10000000,2:0102",
        "mfffffff0,2000",
        "X20000000,2:ab",
        "Z0,4,4",
        "z0,4,4",
        "Z2,30000000,40",
        "Z3,ffffffff,2",
        "z2,30000000,40",
        "c",
        "s",
        "vCont;c",
        "vCont;s",
        "vCont?",
        "C0b",
        "S05",
        "?",
        "H g0",
        "Hc-1",
        "qXfer:features:read:target.xml:0,fff",
        "qXfer:memory-map:read::5,ffffffff",
        "qRcmd,6379636c6573",
        "qRcmd,zz",
        "D",
        "k",
        "vKill;1",
        "G00",
        "!",
        "R00",
        "T1",
        "qfThreadInfo",
        "qC",
        "qAttached",
        "QStartNoAckMode",
        "bs",
        "bc",
        "vFile:open:2f,0,0",
        "qRegisterInfo0",
    ];
    let mut ends = [0usize; 4];
    for _ in 0..3000 {
        let mut said = Vec::new();
        for _ in 0..below(12) {
            let mut packet = packets[below(packets.len())].as_bytes().to_vec();
            if below(3) == 0 {
                for _ in 0..=below(2) {
                    let at = below(packet.len());
                    match below(3) {
                        0 => packet[at] = b"0f,:;=#$}*\xff\x00g"[below(13)],
                        1 => packet.insert(at, b"f0,;:"[below(5)]),
                        _ => packet.truncate(at.max(1)),
                    }
                }
            }
            let sum = packet.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            let sum = if below(50) == 0 { !sum } else { sum };
            said.extend([b"$", &packet[..], b"#", format!("{sum:02x}").as_bytes()].concat());
            if below(10) == 0 {
                said.push(b"\x03+-$"[below(4)]);
            }
        }
        let mut machine =
            machine(&["addi a0, a0, 1", "andi a1, a0, 15", "bne a1, zero, .-8", "ecall"], Options::default());
        let ended = serve(&mut machine, Link::new(Cursor::new(said), io::sink()));
        ends[match ended {
            Ok(Ended::Exited(_)) => 0,
            Ok(_) => 1,
            Err(GdbError::Link(_)) => 2,
            Err(GdbError::Protocol(_)) => 3,
        }] += 1;
        machine.run(Limits { instructions: Some(100), ..Limits::default() }, &mut ());
    }
    assert!(ends.iter().all(|count| *count > 50), "{ends:?}");
}

#[test]
fn a_port_serves_one_debugger_of_this_machine() {
    let (sender, port) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        let mut machine = machine(&["ecall"], Options::default());
        let link = Link::listen(0, |port| sender.send(port).unwrap()).unwrap();
        serve(&mut machine, link).unwrap()
    });
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port.recv().unwrap())).unwrap();
    stream.write_all(b"$c#63").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"+$W00#b7");
    assert_eq!(server.join().unwrap(), Ended::Exited(Stop::Ecall { pc: 0 }));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Link::listen(port, |_| panic!("the port is taken")).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot wait for a debugger on port {port}")), "{error}");
}

#[test]
fn a_socket_is_made_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gdb");
    let connected = path.clone();
    let link = Link::listen_at(&path, || {
        // The connection waits in the socket until it is accepted.
        let mut stream = UnixStream::connect(&connected).unwrap();
        stream.write_all(b"$k#6b").unwrap();
    });
    let mut machine = machine(&["ecall"], Options::default());
    assert_eq!(serve(&mut machine, link.unwrap()).unwrap(), Ended::Killed);
    assert!(!path.exists());
    std::fs::write(&path, "").unwrap();
    let error = Link::listen_at(&path, || panic!("there is a file")).unwrap_err();
    assert!(error.to_string().contains("cannot wait for a debugger at"), "{error}");
}
