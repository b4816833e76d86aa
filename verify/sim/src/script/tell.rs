//! A script as a person reads it.

use std::fmt;

use super::{Act, Deed, Script, Wrong};
use crate::program::{Fate, Item, Program, UndoFate};

fn seconds(millis: u64) -> String {
    format!("{:.3} s", millis as f64 / 1_000.0)
}

impl Script {
    /// How many things are done in it: by clients, and to it.
    pub(crate) fn actions(&self) -> usize {
        self.clients.iter().map(Vec::len).sum::<usize>()
            + self.faults.len()
            + usize::from(self.ruin.is_some())
    }

    /// Everything that clients do.
    pub(crate) fn acts(&mut self) -> impl Iterator<Item = &mut Act> {
        self.clients.iter_mut().flatten()
    }

    /// Whether a client has to do with instances of this program.
    pub(crate) fn uses(&self, number: usize) -> bool {
        let said = self.people.acts.iter().any(|act| act.program == number);
        said || self.clients.iter().flatten().any(|act| match &act.what {
            Deed::Start { program, .. }
            | Deed::Cancel { program, .. }
            | Deed::Kill { program, .. }
            | Deed::Signal { program, .. } => *program == number,
            _ => false,
        })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "world {}: {} nodes, {} shards a service, {} commits in flight, window {}, {} ids, a snapshot every {} commits, \
             a look every {}, {} clients outside, {} commands wait",
            self.seed,
            self.nodes,
            self.shards,
            self.pipeline,
            self.window,
            self.ids,
            self.snapshot_commits,
            seconds(self.look_ms),
            self.remotes,
            self.queue,
        )?;
        for (n, program) in self.programs.iter().enumerate().filter(|(n, _)| self.uses(*n)) {
            writeln!(f, "saga p{n}: {program}")?;
        }
        for (n, acts) in self.clients.iter().enumerate() {
            writeln!(f, "client {n}")?;
            for act in acts {
                writeln!(f, "    at {:>9}  {act}", seconds(act.at_ms))?;
            }
        }
        if !self.faults.is_empty() {
            writeln!(f, "faults")?;
        }
        for fault in &self.faults {
            let (at, span) = (seconds(fault.at_ms), seconds(fault.for_ms));
            writeln!(f, "    at {at:>9}  {}, for {span}", fault.what)?;
        }
        writeln!(f, "at {} all faults end, and {} nodes are left", seconds(self.safety_ms), self.core)?;
        self.ruin.iter().try_for_each(|ruin| writeln!(f, "at rest: {ruin:?}"))
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Deed::Start { program, id, fates } => {
                write!(f, "starts p{program}/{id}")?;
                for (path, (fate, undo)) in fates {
                    if (*fate, *undo) != (Fate::Done, UndoFate::Done) {
                        write!(f, ", {path}: {fate:?}, undo {undo:?}")?;
                    }
                }
            }
            deed => write!(f, "{deed:?}")?,
        }
        if self.doubled {
            f.write_str(", at two nodes at once")?;
        }
        if self.patience_ms < 300_000 {
            write!(f, ", gives up after {}", seconds(self.patience_ms))?;
        }
        Ok(())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weather(weather, rate) => write!(f, "{weather:?} {rate} times in a thousand"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        road(f, &self.before)?;
        if self.pivot {
            f.write_str(", pivot pay")?;
        }
        if !self.after.is_empty() {
            f.write_str(", then ")?;
            road(f, &self.after)?;
        }
        self.deadline_ms.iter().try_for_each(|millis| write!(f, "; deadline {}", seconds(*millis)))
    }
}

fn road(f: &mut fmt::Formatter<'_>, items: &[Item]) -> fmt::Result {
    for (n, item) in items.iter().enumerate() {
        f.write_str(if n > 0 { ", " } else { "" })?;
        match item {
            Item::Node { name, what } => write!(f, "n{name} {what:?}")?,
            Item::Block { name, branches } => {
                write!(f, "b{name} (")?;
                for (n, branch) in branches.iter().enumerate() {
                    f.write_str(if n > 0 { " | " } else { "" })?;
                    road(f, branch)?;
                }
                f.write_str(")")?;
            }
        }
    }
    Ok(())
}
