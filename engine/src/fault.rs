//! Marks of rare states, which a simulation counts, and places where a simulation plants a bug to see that it is found.
//! In a release build both are nothing. Decides nothing.

#[cfg(any(test, feature = "testing"))]
mod marks {
    use std::{cell::RefCell, collections::BTreeMap};

    thread_local! {
        static REACHED: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Counts a rare state that was reached on this thread. Use [`sometimes!`](crate::sometimes).
    pub fn mark(name: &'static str) {
        REACHED.with(|reached| *reached.borrow_mut().entry(name).or_default() += 1);
    }

    /// The marks reached on this thread since the last call, and how often.
    #[must_use]
    pub fn take_marks() -> BTreeMap<&'static str, u64> {
        REACHED.with(|reached| std::mem::take(&mut *reached.borrow_mut()))
    }
}

#[cfg(any(test, feature = "testing"))]
pub use marks::{mark, take_marks};

#[cfg(feature = "zoo")]
mod zoo {
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Plants the bug of this name on this thread; none: takes it away.
    pub fn plant(bug: Option<&'static str>) {
        PLANTED.with(|planted| planted.set(bug));
    }

    /// Whether this bug is planted on this thread. Use [`zoo!`](crate::zoo).
    #[must_use]
    pub fn planted(bug: &str) -> bool {
        PLANTED.with(Cell::get) == Some(bug)
    }
}

#[cfg(feature = "zoo")]
pub use zoo::{plant, planted};

/// Marks a rare state that a simulation must have reached. Nothing without the feature `testing`.
#[cfg(any(test, feature = "testing"))]
#[macro_export]
macro_rules! sometimes {
    ($name:literal) => {
        $crate::fault::mark($name)
    };
}

/// Marks a rare state that a simulation must have reached. Nothing without the feature `testing`.
#[cfg(not(any(test, feature = "testing")))]
#[macro_export]
macro_rules! sometimes {
    ($name:literal) => {{}};
}

/// Whether a simulation has planted this bug. `false` without the feature `zoo`, which nothing but a simulation has.
#[cfg(feature = "zoo")]
#[macro_export]
macro_rules! zoo {
    ($name:literal) => {
        $crate::fault::planted($name)
    };
}

/// Whether a simulation has planted this bug. `false` without the feature `zoo`, which nothing but a simulation has.
#[cfg(not(feature = "zoo"))]
#[macro_export]
macro_rules! zoo {
    ($name:literal) => {
        false
    };
}
