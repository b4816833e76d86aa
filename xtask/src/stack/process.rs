//! Processes by their number: starting one that outlives us, asking whether a number still is the process we mean, and
//! ending it. A number alone proves nothing, since numbers are given again: what a process was started with has to
//! match as well.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::shell::quiet;

/// How long one look waits for the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `done` says so, at most for so many seconds.
pub(crate) fn wait_until(seconds: u32, mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..seconds * 20 {
        if done() {
            return true;
        }
        #[expect(clippy::disallowed_methods, reason = "servers run on the clock of the wall")]
        std::thread::sleep(PAUSE);
    }
    done()
}

/// Starts a program that goes on when we end: no terminal, a process group of its own, its words in a file.
///
/// # Errors
/// It cannot be started.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
        .with_context(|| format!("{program} could not be started"))
}

/// Whether a process of this number runs, and this text stands in the words it was started with.
pub(crate) fn runs(pid: u32, word: &str) -> bool {
    if let Ok(words) = fs::read(format!("/proc/{pid}/cmdline")) {
        return words.split(|byte| *byte == 0).any(|found| String::from_utf8_lossy(found).contains(word));
    }
    if Path::new("/proc/self/cmdline").exists() {
        return false;
    }
    let shown = quiet(Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]));
    shown.is_ok_and(|line| line.contains(word))
}

/// Ends a process: politely, then after so many seconds by force. One that does not run any more has ended.
///
/// # Errors
/// It does not end at all.
pub(crate) fn end(pid: u32, word: &str, politely: Signal, seconds: u32) -> Result<()> {
    for (signal, seconds) in [(politely, seconds), (Signal::KILL, 10)] {
        if !runs(pid, word) {
            return Ok(());
        }
        // It may end by itself between the look and the signal.
        let _ = send(pid, signal);
        if wait_until(seconds, || !runs(pid, word)) {
            return Ok(());
        }
    }
    bail!("process {pid} cannot be ended")
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no number of a process")?;
    Ok(kill_process(number, signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_words_and_ended_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = spawn(Command::new("sleep").arg("613"), &folder.path().join("log")).unwrap();
        let pid = child.id();
        assert!(wait_until(10, || runs(pid, "613")));

        end(pid, "614", Signal::TERM, 1).unwrap();
        assert!(runs(pid, "613"), "another process was meant");

        end(pid, "613", Signal::TERM, 10).unwrap();
        assert!(!runs(pid, "613") && !child.wait().unwrap().success());
        end(pid, "613", Signal::TERM, 10).unwrap();
    }

    #[test]
    fn the_words_of_a_process_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for word in ["one", "two"] {
            spawn(Command::new("sh").args(["-c", &format!("echo {word}; echo {word} >&2; cat")]), &log)
                .unwrap()
                .wait()
                .unwrap();
        }
        assert_eq!(fs::read_to_string(log).unwrap(), "one\none\ntwo\ntwo\n");
    }

    #[test]
    fn impatience_and_force() {
        let folder = tempfile::tempdir().unwrap();
        let deaf = "trap '' TERM; echo up; while :; do sleep 0.617; done";
        let log = folder.path().join("log");
        let mut child = spawn(Command::new("sh").args(["-c", deaf]), &log).unwrap();
        assert!(wait_until(10, || fs::read_to_string(&log).unwrap() == "up\n"));
        end(child.id(), "0.617", Signal::TERM, 1).unwrap();
        assert!(!child.wait().unwrap().success());
    }
}
