//! How far a run is: a bar on a terminal, plain lines elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::context::{Context, Tally};

/// Shows what the tally says until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    plain: bool,
    watcher: Option<JoinHandle<()>>,
}

impl Progress {
    pub fn start(shown: bool, terminal: bool, context: &Context) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if shown && terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        let template = "{msg} {wide_bar} {pos}/{len} files, {prefix}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message("listing");
        let plain = shown && !terminal;
        if plain {
            eprintln!("{}: listing the source", context.document.dataset_name);
        }
        let watcher = shown.then(|| tokio::spawn(watch(Arc::clone(&context.tally), bar.clone(), plain)));
        Self { bar, plain, watcher }
    }

    pub fn planned(&self, files: u64, bytes: u64) {
        self.bar.set_length(files);
        self.bar.set_message("converting");
        if self.plain {
            eprintln!("planned: {files} files, {} to convert", size(bytes));
        }
    }

    pub fn warn(&self, warnings: &[String]) {
        self.bar.suspend(|| warnings.iter().for_each(|warning| eprintln!("warning: {warning}")));
    }

    pub fn committing(&self) {
        self.bar.set_message("committing");
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.abort();
        }
    }
}

async fn watch(tally: Arc<Tally>, bar: ProgressBar, plain: bool) {
    let mut told = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(if plain { 5_000 } else { 200 })).await;
        let done = tally.done();
        bar.set_position(done);
        let bytes = tally.bytes.load(Ordering::Relaxed);
        let rate = size((bytes as f64 / bar.elapsed().as_secs_f64().max(0.001)) as u64);
        bar.set_prefix(format!("{} rows, {rate}/s", tally.rows.load(Ordering::Relaxed)));
        if plain && done != told {
            let planned = tally.planned.load(Ordering::Relaxed);
            eprintln!("{done}/{planned} files, {} read", size(tally.bytes.load(Ordering::Relaxed)));
            told = done;
        }
    }
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
