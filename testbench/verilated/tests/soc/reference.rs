//! A card as plain memory, registers and simulators: what the model is compared with.
//!
//! Contract: as far as a host can see it, a card whose cores run from their start to their end at once. Interrupts are up as soon as a
//! core has been started. What the comparison does not use is not there: halts, steps, errors.

use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError, Window};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{
    self, CORE_BLOCK_BYTES, CORE_BLOCKS, CardRegister, CoreRegister, REGISTER_BYTES, control, status, window,
};
use fenn_iss::{Limits, Machine, Options, Stop};

pub(crate) struct Reference {
    memory: MachineConfig,
    width: u32,
    machines: Vec<Machine>,
    cores: Vec<[u32; 4]>,
    status: Vec<u32>,
    dram: Vec<u8>,
    scratch: u32,
    irq_enable: u32,
    acknowledged: u32,
}

const ENTRY: usize = 0;
const BASE: usize = 1;
const LIMIT: usize = 3;

impl Reference {
    pub(crate) fn new(cores: u32, memory: MachineConfig, dram: u64, width: u32) -> Self {
        let machine = || Machine::new(memory, Options::default()).expect("there is such a machine");
        Self {
            memory,
            width,
            machines: (0..cores).map(|_| machine()).collect(),
            cores: vec![[0; 4]; cores as usize],
            status: vec![0; cores as usize],
            dram: vec![0; dram as usize],
            scratch: 0,
            irq_enable: 0,
            acknowledged: 0,
        }
    }

    fn pending(&self) -> u32 {
        let stopped = self.status.iter().enumerate().fold(0, |bits, (core, status)| bits | (status >> 1 & 1) << core);
        stopped & !self.acknowledged
    }

    /// From the start to the end.
    fn run(&mut self, core: usize) {
        let [entry, base, _, limit] = self.cores[core];
        let region = base as usize..(base + limit) as usize;
        let machine = &mut self.machines[core];
        machine.write(Space::Dram, 0, &self.dram[region.clone()]).expect("the region fits");
        machine.state_mut().pc = entry;
        let outcome = machine.run(Limits::default(), &mut ());
        assert!(matches!(outcome.stop, Stop::Ecall { .. }), "the program ends: {:?}", outcome.stop);
        machine.finish_transfers(&mut ());
        machine.read(Space::Dram, 0, &mut self.dram[region]).expect("the region fits");
        self.status[core] = status::DONE | 3 << status::CAUSE_SHIFT;
        self.acknowledged &= !(1 << core);
    }
}

impl Transport for Reference {
    fn name(&self) -> String {
        "reference".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        let mut windows = Vec::new();
        for space in [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal] {
            for core in 0..self.machines.len() as u32 {
                windows.push(Window { address: window(space, core), bytes: self.memory.bytes(space).into() });
            }
        }
        windows.push(Window { address: window(Space::Dram, 0), bytes: self.dram.len() as u64 });
        Capabilities { registers: REGISTER_BYTES, windows, alignment: 4, chunk: 4096, interrupts: true }
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.capabilities().check_register(offset)?;
        if let Some(inside) = offset.checked_sub(CORE_BLOCKS) {
            let core = (inside / CORE_BLOCK_BYTES) as usize;
            if core >= self.machines.len() {
                return Ok(0);
            }
            return Ok(match CoreRegister::at(inside % CORE_BLOCK_BYTES) {
                Some(CoreRegister::Status) => self.status[core],
                Some(CoreRegister::Entry) => self.cores[core][ENTRY],
                Some(CoreRegister::Pc) => self.machines[core].state().pc,
                Some(CoreRegister::DramBaseLow) => self.cores[core][BASE],
                Some(CoreRegister::DramBaseHigh) => self.cores[core][BASE + 1],
                Some(CoreRegister::DramLimit) => self.cores[core][LIMIT],
                _ => 0,
            });
        }
        Ok(match CardRegister::at(offset) {
            Some(CardRegister::Ident) => soc::IDENT,
            Some(CardRegister::Version) => soc::VERSION,
            Some(CardRegister::Fingerprint) => soc::FINGERPRINT,
            Some(CardRegister::Cores) => self.machines.len() as u32,
            Some(CardRegister::Lanes) => 32,
            Some(CardRegister::InstructionBytes) => self.memory.instruction_bytes,
            Some(CardRegister::ScalarBytes) => self.memory.scalar_bytes,
            Some(CardRegister::VectorBytes) => self.memory.vector_bytes,
            Some(CardRegister::LaneBytes) => self.memory.lane_local_bytes,
            Some(CardRegister::DramLow) => self.dram.len() as u32,
            Some(CardRegister::DataWidth) => self.width,
            Some(CardRegister::Scratch) => self.scratch,
            Some(CardRegister::IrqPending) => self.pending(),
            Some(CardRegister::IrqEnable) => self.irq_enable,
            _ => 0,
        })
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.capabilities().check_register(offset)?;
        if let Some(inside) = offset.checked_sub(CORE_BLOCKS) {
            let core = (inside / CORE_BLOCK_BYTES) as usize;
            if core < self.machines.len() {
                match CoreRegister::at(inside % CORE_BLOCK_BYTES) {
                    Some(CoreRegister::Control) if value == control::RUN => self.run(core),
                    Some(CoreRegister::Control) => assert_eq!(value, 0, "nothing else is asked for"),
                    Some(CoreRegister::Entry) => self.cores[core][ENTRY] = value,
                    Some(CoreRegister::DramBaseLow) => self.cores[core][BASE] = value,
                    Some(CoreRegister::DramBaseHigh) => self.cores[core][BASE + 1] = value,
                    Some(CoreRegister::DramLimit) => self.cores[core][LIMIT] = value,
                    _ => {}
                }
            }
            return Ok(());
        }
        match CardRegister::at(offset) {
            Some(CardRegister::Scratch) => self.scratch = value,
            Some(CardRegister::IrqEnable) => self.irq_enable = value,
            Some(CardRegister::IrqAck) => self.acknowledged |= value,
            _ => {}
        }
        Ok(())
    }

    fn read(&mut self, address: u64, out: &mut [u8], _deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities().check(address, out.len())?;
        let (space, core, inside) = soc::at(address).expect("the windows are there");
        if space == Space::Dram {
            out.copy_from_slice(&self.dram[inside as usize..inside as usize + out.len()]);
        } else {
            self.machines[core as usize].read(space, inside as u32, out).expect("it lies inside");
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8], _deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities().check(address, bytes.len())?;
        let (space, core, inside) = soc::at(address).expect("the windows are there");
        if space == Space::Dram {
            self.dram[inside as usize..inside as usize + bytes.len()].copy_from_slice(bytes);
        } else {
            self.machines[core as usize].write(space, inside as u32, bytes).expect("it lies inside");
        }
        Ok(())
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        if (self.pending() & self.irq_enable) >> core & 1 == 1 {
            return Ok(());
        }
        Err(TransportError::Deadline { what: format!("core {core}"), limit: deadline.limit() })
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}
