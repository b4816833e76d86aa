//! A disk that has lost its power: which files it may hold after a prefix of the recorded changes. It is as mean as POSIX
//! lets it be.
//!
//! | change | lasts |
//! |---|---|
//! | bytes written, a size set | when its file was synced after it; until then any subset, torn at sectors of 512 bytes |
//! | the same, after a sync of that file failed | never for certain, until it is written again: the pages look clean |
//! | a name made, moved or removed | when its folder was synced after it; until then each name by itself, old or new |

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, rc::Rc};

use palinode::log::memory::Chance;

use crate::journal::Op;

const SECTOR: usize = 512;

/// The files of a folder by name.
pub(crate) type Image = BTreeMap<String, Option<Vec<u8>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    /// A sync failed after it.
    Limbo,
    Lasts,
}

#[derive(Debug, Clone)]
enum What {
    Write(usize, Rc<[u8]>),
    Size(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    lasting: Rc<Vec<u8>>,
    changes: Vec<(What, Fate)>,
}

/// What a name may stand for: the first certainly was there, each later one may have replaced it.
#[derive(Debug, Clone, Default)]
struct Name(Vec<Option<usize>>);

/// The disk after some changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    /// `None` for a folder.
    nodes: Vec<Option<Content>>,
    inodes: BTreeMap<u64, usize>,
    names: BTreeMap<String, Name>,
}

/// What is lost of the changes that may be.
#[derive(Debug, Clone)]
pub(crate) enum Loss {
    Nothing,
    Everything,
    Only(usize),
    AllBut(usize),
    Torn(Chance),
}

enum Keep {
    No,
    Yes,
    /// Some sectors; what lies beyond the old end may be anything.
    Torn,
}

impl Disk {
    /// A folder whose files all last.
    pub(crate) fn of(base: &Path) -> Self {
        let mut disk = Self::default();
        disk.add(base, "", None);
        disk
    }

    fn add(&mut self, path: &Path, name: &str, content: Option<Content>) {
        let folder = content.is_none();
        self.inodes.insert(fs::metadata(path).unwrap().ino(), self.nodes.len());
        self.names.insert(name.into(), Name(vec![Some(self.nodes.len())]));
        self.nodes.push(content);
        if folder {
            for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
                let inner = entry.file_name().into_string().unwrap();
                let below = if name.is_empty() { inner } else { format!("{name}/{inner}") };
                let content = entry.file_type().unwrap().is_file().then(|| Content {
                    lasting: fs::read(entry.path()).unwrap().into(),
                    changes: Vec::new(),
                });
                self.add(&entry.path(), &below, content);
            }
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, inode } => self.make(name, *inode, Some(Content::default())),
            Op::Mkdir { name, inode } => self.make(name, *inode, None),
            Op::Write { inode, at, bytes } => {
                self.change(*inode, What::Write(usize::try_from(*at).unwrap(), Rc::clone(bytes)));
            }
            Op::Truncate { inode, size } => self.change(*inode, What::Size(usize::try_from(*size).unwrap())),
            Op::Unlink { name } => self.name(name, None),
            Op::Rename { from, to } => {
                let moved = *self.names[from].0.last().unwrap();
                self.name(to, moved);
                self.name(from, None);
            }
            Op::Sync { inode, failed } => self.sync(self.inodes[inode], *failed),
            Op::Note(_) => {}
        }
    }

    fn make(&mut self, name: &str, inode: u64, content: Option<Content>) {
        self.inodes.insert(inode, self.nodes.len());
        self.nodes.push(content);
        self.name(name, Some(self.nodes.len() - 1));
    }

    fn name(&mut self, name: &str, node: Option<usize>) {
        self.names.entry(name.into()).or_insert_with(|| Name(vec![None])).0.push(node);
    }

    fn change(&mut self, inode: u64, what: What) {
        let content = self.nodes[self.inodes[&inode]].as_mut().unwrap();
        content.changes.push((what, Fate::Pending));
    }

    fn sync(&mut self, node: usize, failed: bool) {
        if let Some(content) = &mut self.nodes[node] {
            return content.sync(failed);
        }
        if failed {
            return;
        }
        let folder = self.names.iter().find(|(_, n)| n.0.last() == Some(&Some(node))).map(|(n, _)| n.clone());
        let folder = folder.unwrap();
        for (_, name) in self.names.iter_mut().filter(|(name, _)| parent(name) == Some(&folder)) {
            name.0.drain(..name.0.len() - 1);
        }
    }

    /// How many changes may be lost.
    pub(crate) fn uncertain(&self) -> usize {
        let changes = self.nodes.iter().flatten().flat_map(|c| &c.changes);
        changes.filter(|(_, fate)| *fate != Fate::Lasts).count()
            + self.names.values().filter(|name| name.0.len() > 1).count()
    }

    /// What the next start finds.
    pub(crate) fn after(&self, loss: &Loss) -> Image {
        let mut lottery = Lottery { loss: loss.clone(), next: 0 };
        let mut held: Vec<Option<Vec<u8>>> = Vec::new();
        for node in &self.nodes {
            held.push(node.as_ref().map(|content| content.after(&mut lottery)));
        }
        let mut image = Image::new();
        for (name, Name(stands)) in &self.names {
            let node = stands[if stands.len() > 1 { lottery.name(stands.len()) } else { 0 }];
            let reached = parent(name).is_none_or(|folder| folder.is_empty() || image.contains_key(folder));
            if let (Some(node), true, false) = (node, reached, name.is_empty()) {
                image.insert(name.clone(), held[node].clone());
            }
        }
        image
    }
}

impl Content {
    fn sync(&mut self, failed: bool) {
        for (_, fate) in self.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Pending) {
            *fate = if failed { Fate::Limbo } else { Fate::Lasts };
        }
        let certain = self.changes.iter().take_while(|(_, fate)| *fate == Fate::Lasts).count();
        let bytes = Rc::make_mut(&mut self.lasting);
        self.changes.drain(..certain).for_each(|(what, _)| what.apply(bytes));
    }

    fn after(&self, lottery: &mut Lottery) -> Vec<u8> {
        let mut bytes = self.lasting.to_vec();
        for (what, fate) in &self.changes {
            match if *fate == Fate::Lasts { Keep::Yes } else { lottery.draw() } {
                Keep::Yes => what.apply(&mut bytes),
                Keep::Torn => what.tear(&mut bytes, lottery.chance()),
                Keep::No => {}
            }
        }
        bytes
    }
}

impl What {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                file.resize(file.len().max(at + bytes.len()), 0);
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Size(size) => file.resize(*size, 0),
        }
    }

    fn tear(&self, file: &mut Vec<u8>, chance: &mut Chance) {
        let Self::Write(at, bytes) = self else { return self.apply(file) };
        let old = file.len();
        file.resize(old.max(at + bytes.len()), 0);
        let stale = chance.below(2) == 0;
        let (mut from, end) = (*at, at + bytes.len());
        while from < end {
            let to = end.min((from / SECTOR + 1) * SECTOR);
            if chance.below(2) == 0 {
                file[from..to].copy_from_slice(&bytes[from - at..to - at]);
            } else if stale && from >= old {
                file[from..to].fill(0xa5);
            }
            from = to;
        }
    }
}

/// Draws what is kept, change by change.
struct Lottery {
    loss: Loss,
    next: usize,
}

impl Lottery {
    fn draw(&mut self) -> Keep {
        let nth = self.next;
        self.next += 1;
        let lost = match &mut self.loss {
            Loss::Nothing => false,
            Loss::Everything => true,
            Loss::Only(only) => nth == *only,
            Loss::AllBut(kept) => nth != *kept,
            Loss::Torn(chance) => match chance.below(4) {
                0 => true,
                1 => return Keep::Torn,
                _ => false,
            },
        };
        if lost { Keep::No } else { Keep::Yes }
    }

    /// Which of so many stands of a name.
    fn name(&mut self, stands: usize) -> usize {
        let nth = self.next;
        self.next += 1;
        match &mut self.loss {
            Loss::Torn(chance) => usize::try_from(chance.below(stands as u64)).unwrap(),
            Loss::Nothing => stands - 1,
            Loss::Everything => 0,
            Loss::Only(only) => {
                if nth == *only {
                    0
                } else {
                    stands - 1
                }
            }
            Loss::AllBut(kept) => {
                if nth == *kept {
                    stands - 1
                } else {
                    0
                }
            }
        }
    }

    fn chance(&mut self) -> &mut Chance {
        match &mut self.loss {
            Loss::Torn(chance) => chance,
            other => panic!("nothing is torn by {other:?}"),
        }
    }
}

fn parent(name: &str) -> Option<&str> {
    if name.is_empty() { None } else { Some(name.rsplit_once('/').map_or("", |(folder, _)| folder)) }
}

/// Writes an image where a log can be opened.
pub(crate) fn write(image: &Image, base: &Path) {
    for (name, content) in image {
        let path = base.join(name);
        match content {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::create_dir(path).unwrap(),
        }
    }
}
