//! The finished saga in the hands of its author: its data, its checks, its samples, its golden text.

use std::{marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::to_raw_value;

use crate::{
    definition::{Definition, Problem},
    outcome::Raw,
};

/// What the data of a saga must be: one struct, stored as JSON.
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}
impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// Something a saga can wait for, told from outside.
pub trait Signal: Serialize + DeserializeOwned + Send + 'static {
    /// Stable and stored.
    const NAME: &'static str;
}

/// A saga: a typed, versioned definition, built once and shared.
///
/// ```
/// use palinode::{Activity, NoUndo};
/// use palinode_sagas::Saga;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order { id: u64, paid: Option<u64> }
///
/// #[derive(Serialize, Deserialize)]
/// struct Reserve { order: u64 }
/// #[derive(Serialize, Deserialize)]
/// struct Free { order: u64 }
/// #[derive(Serialize, Deserialize)]
/// struct Pay { order: u64 }
///
/// impl Activity for Reserve { const NAME: &'static str = "reserve"; type Reply = (); type Undo = Free; }
/// impl Activity for Free { const NAME: &'static str = "free"; type Reply = (); type Undo = NoUndo; }
/// impl Activity for Pay { const NAME: &'static str = "pay"; type Reply = u64; type Undo = NoUndo; }
///
/// let order: Saga<Order> = Saga::define("order", 1)
///     .step("reserve", |o: &Order| Reserve { order: o.id })
///         .undo(|o, _outcome| Free { order: o.id })
///     .pivot("pay", |o| Pay { order: o.id })
///         .save(|o, receipt| o.paid = Some(*receipt))
///     .finish();
/// assert!(order.check().is_ok());
/// ```
pub struct Saga<T> {
    definition: Arc<Definition>,
    samples: Vec<Raw>,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for Saga<T> {
    fn clone(&self) -> Self {
        Self { definition: Arc::clone(&self.definition), samples: self.samples.clone(), data: PhantomData }
    }
}

impl<T: Data> Saga<T> {
    pub(crate) fn new(definition: Definition) -> Self {
        Self { definition: Arc::new(definition), samples: Vec::new(), data: PhantomData }
    }

    /// The definition as data.
    #[must_use]
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Whether instances of it can be run.
    ///
    /// # Errors
    /// Everything that is wrong with it. A node does not start with such a definition.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let problems = self.definition.problems();
        if problems.is_empty() { Ok(()) } else { Err(problems.to_vec()) }
    }

    /// Examples of its data, as full as it is at the end. What closures build from them is held fast by
    /// [`Saga::golden`]: a fingerprint cannot see a closure.
    #[must_use]
    pub fn samples(mut self, samples: impl IntoIterator<Item = T>) -> Self {
        self.samples = samples.into_iter().filter_map(|s| to_raw_value(&s).ok()).map(Arc::from).collect();
        self
    }

    /// Every ask, and every undo of an unknown step, built from the samples: one line each. Keep the text of a
    /// released version in a file and compare it in a test.
    ///
    /// # Errors
    /// What could not be built.
    pub fn golden(&self) -> Result<String, String> {
        let mut text = format!("{:?} {}\n", self.definition, self.definition.fingerprint());
        for (n, sample) in self.samples.iter().enumerate() {
            let data = (self.definition.data.decode)(sample)?;
            for (_, node) in self.definition.nodes() {
                let Some(ask) = &node.code.ask else { continue };
                let wanted = node.code.when.as_ref().map_or(Ok(true), |when| when(&*data))?;
                if !wanted {
                    text.push_str(&format!("{n} {} skipped\n", node.path));
                    continue;
                }
                let asked = ask(&*data)?;
                text.push_str(&format!("{n} {} do {:?} {}\n", node.path, asked.to, asked.data));
                for (word, settle) in [("probe", &node.code.probe), ("void", &node.code.void)] {
                    let Some(settle) = settle else { continue };
                    let asked = settle(&*data)?;
                    text.push_str(&format!("{n} {} {word} {:?} {}\n", node.path, asked.to, asked.data));
                }
                if let Some(undo) = &node.code.undo {
                    let undo = undo(&*data, None, &asked.to)?;
                    text.push_str(&format!("{n} {} undo {:?} {}\n", node.path, undo.to, undo.data));
                }
            }
        }
        Ok(text)
    }
}
