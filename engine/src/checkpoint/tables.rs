//! The tables of one version of a projection, by name. Every version writes into tables of its own, `taken_v2`; readers
//! ask one name that stays, `taken`. Knows names only, no database.

use std::fmt;

use super::ApplyError;

/// The longest name a projection may give to a table.
const LONGEST: usize = 48;

/// What the tables of one version of a projection are called.
///
/// ```
/// use palinode::projection::Tables;
/// let tables = Tables::new(&["taken", "guest"], 2)?;
/// assert_eq!(tables.name("taken"), "taken_v2");
/// let sql = tables.sql("insert into {taken} select id, '{}' from {guest}");
/// assert_eq!(sql.as_str(), "insert into taken_v2 select id, '{}' from guest_v2");
/// # Ok::<(), palinode::projection::ApplyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    stable: &'static [&'static str],
    version: u32,
}

impl Tables {
    /// The tables of this version, by the names that readers use.
    ///
    /// # Errors
    /// When a name is none: 1 to 48 of `a-z`, `0-9` and `_`, beginning with a letter, not ending like a version; or when
    /// one comes twice.
    pub fn new(stable: &'static [&'static str], version: u32) -> Result<Self, ApplyError> {
        for (n, name) in stable.iter().enumerate() {
            if !well_named(name) {
                return Err(ApplyError::broken(format!(
                    "{name:?} is no name for a table of a projection: 1 to {LONGEST} of a-z, 0-9 and _, beginning with a \
                     letter, without a version at its end"
                )));
            }
            if stable.iter().take(n).any(|other| other == name) {
                return Err(ApplyError::broken(format!("table {name:?} is named twice")));
            }
        }
        Ok(Self { stable, version })
    }

    /// The names that readers use.
    #[must_use]
    pub fn stable(&self) -> &'static [&'static str] {
        self.stable
    }

    /// The version that these tables belong to.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The name of this version's own table behind a name that readers use.
    #[must_use]
    pub fn name(&self, stable: &str) -> String {
        versioned(stable, self.version)
    }

    /// SQL in which `{taken}` stands for this version's own `taken`. Only the names of the projection are replaced, so
    /// JSON in the text stays as it is. `{taken}_by_guest` names an index of this version.
    #[must_use]
    pub fn sql(&self, text: &'static str) -> Sql {
        let mut sql = text.to_owned();
        for stable in self.stable {
            sql = sql.replace(&format!("{{{stable}}}"), &self.name(stable));
        }
        Sql(sql)
    }
}

/// The own table of a version behind the name that readers use.
pub(crate) fn versioned(stable: &str, version: u32) -> String {
    format!("{stable}_v{version}")
}

fn well_named(name: &str) -> bool {
    let like_a_version = name
        .rsplit_once("_v")
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    (1..=LONGEST).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !like_a_version
}

/// SQL with the names of one version's tables in it: text of the program, and names that were checked, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(String);

impl Sql {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_hurt_are_refused() {
        for good in [&["taken"], &["palinode_saga"], &["a1_very"], &["x_vy"]] {
            assert!(Tables::new(good, 1).is_ok(), "{good:?}");
        }
        for bad in [&[""], &["Taken"], &["1st"], &["a b"], &["a\"b"], &["taken_v2"], &["a;drop"]] {
            assert!(Tables::new(bad, 1).is_err(), "{bad:?}");
        }
        assert!(Tables::new(&["a", "b", "a"], 1).is_err());
    }
}
