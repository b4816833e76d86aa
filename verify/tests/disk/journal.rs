//! What the shim recorded: every change of the files of a folder, in the order in which they happened. Knows the shim's
//! format and nothing of what the files mean.

use std::{fs, path::Path, rc::Rc};

/// One change, or what the program said at that moment.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create { name: String, inode: u64 },
    Write { inode: u64, at: u64, bytes: Rc<[u8]> },
    Sync { inode: u64, failed: bool },
    Truncate { inode: u64, size: u64 },
    Unlink { name: String },
    Rename { from: String, to: String },
    Mkdir { name: String, inode: u64 },
    Note(String),
}

impl Op {
    pub(crate) fn is_note(&self) -> bool {
        matches!(self, Self::Note(_))
    }
}

/// Reads all of a journal.
pub(crate) fn read(path: &Path) -> Vec<Op> {
    let bytes = fs::read(path).unwrap();
    let (mut ops, mut rest) = (Vec::new(), &bytes[..]);
    while !rest.is_empty() {
        let number = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(rest[at..at + 8].try_into().unwrap());
        let (kind, failed, name, data) = (number(0), number(4) != 0, number(8) as usize, number(12) as usize);
        let (inode, at) = (long(16), long(24));
        let (name, data) = rest[32..32 + name + data].split_at(name);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        ops.push(match kind {
            1 => Op::Create { name: text(name), inode },
            2 => Op::Write { inode, at, bytes: data.into() },
            3 => Op::Sync { inode, failed },
            4 => Op::Truncate { inode, size: at },
            5 => Op::Unlink { name: text(name) },
            6 => Op::Rename { from: text(name), to: text(data) },
            7 => Op::Mkdir { name: text(name), inode },
            8 => Op::Note(text(data)),
            other => panic!("no change has the number {other}"),
        });
        rest = &rest[32 + name.len() + data.len()..];
    }
    ops
}
