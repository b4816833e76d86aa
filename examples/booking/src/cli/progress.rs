//! The bar on stderr while it works. Nothing when stderr is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many trips, with what it says in front.
pub(super) fn bar(trips: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(trips).with_message(what);
    let style = "{msg}  {wide_bar:.green/dim}  {human_pos} of {human_len}  {per_sec}  {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A sign of life for work of unknown length.
pub(super) fn spinner(what: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
