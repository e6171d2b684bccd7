//! Where the resident memory of a process is, by what its mappings are (`/proc/PID/smaps`).

use std::fmt;
use std::path::Path;

use crate::wire::Outcome;

/// MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// The program's allocator: mappings without a name, in the part of the address space that it asks for.
    heap: f64,
    /// `malloc` of the C library, which SQLite uses, and the stacks of threads.
    libc: f64,
    /// The program itself and shared libraries.
    program: f64,
    /// Mapped files, as SQLite's index of its log.
    files: f64,
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { heap, libc, program, files } = self;
        let all = heap + libc + program + files;
        write!(formatter, "{all:.0} MiB: heap {heap:.0}, libc {libc:.0}, program {program:.0}, files {files:.0}")
    }
}

/// Above it lies what the kernel places by itself; mimalloc asks for places below.
const PLACED_BY_THE_KERNEL: u64 = 0x7000_0000_0000;

/// What the process has now.
pub fn of(id: u32) -> Outcome<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{id}/smaps"))?;
    let program = std::fs::read_link(format!("/proc/{id}/exe"))?;
    let mut memory = Memory::default();
    let (mut name, mut start) = (String::new(), 0);
    for line in text.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Some((from, _)) = first.split_once('-')
            && let Ok(address) = u64::from_str_radix(from, 16)
        {
            start = address;
            name = line.split_whitespace().nth(5).unwrap_or_default().to_owned();
        } else if first == "Rss:" {
            let kib: f64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
            let place = match name.as_str() {
                "" if start < PLACED_BY_THE_KERNEL => &mut memory.heap,
                "" => &mut memory.libc,
                other if other.starts_with('[') => &mut memory.libc,
                other if Path::new(other) == program || other.contains(".so") => &mut memory.program,
                _ => &mut memory.files,
            };
            *place += kib / 1024.0;
        }
    }
    Ok(memory)
}
