//! The one line that shows how far a command is.

use std::io::Write;
use std::time::{Duration, Instant};

/// Before this a command is done soon enough without.
const FIRST: Duration = Duration::from_millis(500);
/// Drawing more often is not seen.
const INTERVAL: Duration = Duration::from_millis(100);

/// How far a command is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// `Building`, `Downloading`, …
    pub word: &'a str,
    /// How much is done.
    pub done: usize,
    /// How much there is; 0 if that is not known.
    pub total: usize,
    /// What is in hand, for the rest of the line.
    pub detail: &'a str,
}

/// The width of the terminal behind standard error, in columns.
pub(super) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| width.0 as usize)
}

pub(super) struct ProgressLine {
    drawn: bool,
    /// Whether the terminal itself is told.
    told: bool,
    width: Option<usize>,
    next: Instant,
    on_screen: bool,
}

impl ProgressLine {
    pub(super) fn new(drawn: bool, told: bool, width: Option<usize>) -> ProgressLine {
        ProgressLine { drawn, told, width, next: Instant::now() + FIRST, on_screen: false }
    }

    pub(super) fn draw(&mut self, err: &mut impl Write, progress: &Progress<'_>) {
        let now = Instant::now();
        if !self.drawn || now < self.next {
            return;
        }
        let Some(width) = self.width.or_else(width) else { return };
        self.next = now + INTERVAL;
        let line = render(progress, width);
        let _ = write!(err, "\r{line}\x1b[K");
        if self.told && progress.total > 0 {
            let _ = write!(err, "\x1b]9;4;1;{}\x1b\\", progress.done * 100 / progress.total);
        }
        let _ = write!(err, "\r");
        let _ = err.flush();
        self.on_screen = true;
    }

    pub(super) fn clear(&mut self, err: &mut impl Write) {
        if std::mem::take(&mut self.on_screen) {
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
            // What is written now would flicker if the line came back at once; but it should come back.
            self.next = Instant::now();
        }
    }

    pub(super) fn finish(&mut self, err: &mut impl Write) {
        if self.on_screen && self.told {
            let _ = write!(err, "\x1b]9;4;0;0\x1b\\");
        }
        self.clear(err);
        self.next = Instant::now() + FIRST;
    }
}

/// `    Building [=====>    ] 5/10: a, b`, cut to the width.
fn render(progress: &Progress<'_>, width: usize) -> String {
    const BAR: usize = 27;
    let Progress { word, done, total, detail } = *progress;
    let count = if total > 0 { format!("{done}/{total}") } else { String::new() };
    let mut plain = String::new();
    // Room for the word, the bar with its brackets, and the count.
    if total > 0 && width > 13 + BAR + 3 + count.len() {
        let filled = (BAR * done.min(total) / total).min(BAR);
        let (full, head) = if filled == BAR { (BAR, "") } else { (filled.saturating_sub(1), ">") };
        let head = if filled == 0 { "" } else { head };
        let bar = format!("{}{head}", "=".repeat(full));
        plain.push_str(&format!("[{bar:<BAR$}] "));
    }
    plain.push_str(&count);
    if !detail.is_empty() {
        plain.push_str(if total > 0 { ": " } else { "" });
        plain.push_str(detail);
    }
    let room = width.saturating_sub(13 + 1);
    if plain.chars().count() > room {
        plain = plain.chars().take(room.saturating_sub(3)).collect::<String>() + "...";
    }
    let style = super::style::DOING;
    format!("{style}{word:>12}{style:#} {plain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(progress: &Progress<'_>, width: usize) -> String {
        anstream::adapter::strip_str(&render(progress, width)).to_string()
    }

    #[test]
    fn lines_fit() {
        let progress =
            Progress { word: "Building", done: 3, total: 10, detail: "serde, tokio, a-long-name(bin)" };
        assert_eq!(
            plain(&progress, 80),
            "    Building [=======>                   ] 3/10: serde, tokio, a-long-name(bin)"
        );
        for width in [0, 10, 20, 40, 60] {
            assert!(plain(&progress, width).chars().count() <= width.max(16), "{width}");
        }
        let none = Progress { word: "Fetch", done: 0, total: 0, detail: "x" };
        assert_eq!(plain(&none, 40), "       Fetch x");
        let full = Progress { word: "Building", done: 10, total: 10, detail: "" };
        assert!(plain(&full, 80).contains(&format!("[{}]", "=".repeat(27))));
    }
}
