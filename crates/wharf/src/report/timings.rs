//! How long each unit took, as one page that needs nothing else (`--timings`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use wharf_exec::{ActionId, Event, Outcome};
use wharf_ops::plan::Plan;

/// The height of a bar with the room below it, and the width of the picture, in pixels.
const ROW: usize = 18;
const WIDTH: f64 = 1100.0;

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:2em auto;max-width:1180px;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;background:#fafafa}
text{font:11px system-ui,sans-serif;fill:#222}.w{fill:#8ab4e8}.e{fill:#4d7fbf}.f{fill:#d66}.g{stroke:#ddd}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}svg{background:#222}text{fill:#ddd}
td,th{border-color:#444}.g{stroke:#444}}";

/// Times of the commands of one build, in seconds since it began.
pub struct Timings {
    began: Instant,
    running: BTreeMap<ActionId, Span>,
    done: Vec<(ActionId, Span)>,
    reused: usize,
}

#[derive(Clone, Copy)]
struct Span {
    start: f64,
    /// When dependents could start.
    early: Option<f64>,
    end: f64,
    failed: bool,
}

impl Timings {
    /// Nothing has run.
    pub fn new(began: Instant) -> Timings {
        Timings { began, running: BTreeMap::new(), done: Vec::new(), reused: 0 }
    }

    /// Takes note of what happened.
    pub fn apply(&mut self, event: &Event) {
        let now = self.began.elapsed().as_secs_f64();
        match event {
            Event::Started { action, .. } => {
                self.running.insert(*action, Span { start: now, early: None, end: now, failed: false });
            }
            Event::Early { action } => {
                if let Some(span) = self.running.get_mut(action) {
                    span.early = Some(now);
                }
            }
            Event::Finished { action, outcome, .. } => {
                self.reused += usize::from(*outcome != Outcome::Ran);
                self.ended(*action, now, false);
            }
            Event::Failed { action, .. } => self.ended(*action, now, true),
            Event::Line { .. }
            | Event::NotKept { .. }
            | Event::NotConfined(_)
            | Event::Stopped { .. }
            | Event::Waiting { .. }
            | Event::StoreTrouble { .. }
            | Event::Tick => {}
        }
    }

    fn ended(&mut self, action: ActionId, end: f64, failed: bool) {
        if let Some(span) = self.running.remove(&action) {
            self.done.push((action, Span { end, failed, ..span }));
        }
    }

    /// The page.
    pub fn page(&self, plan: &Plan) -> String {
        let total = self.began.elapsed().as_secs_f64();
        let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
        // Writing to a string cannot fail.
        let _ = write!(page, "<title>Build timings</title>\n<style>{STYLE}</style></head><body>\n");
        let roots: Vec<String> =
            plan.roots.iter().map(|root| escaped(&plan.unit(*root).description())).collect();
        let _ = writeln!(page, "<h1>Build timings</h1>\n<p>{}</p>", roots.join(", "));
        let work: f64 = self.done.iter().map(|(_, span)| span.end - span.start).sum();
        let _ = writeln!(
            page,
            "<table><tr><th>Total</th><td class=n>{total:.2} s</td></tr>\
             <tr><th>Units</th><td class=n>{}</td></tr>\
             <tr><th>Run</th><td class=n>{}</td></tr>\
             <tr><th>Reused</th><td class=n>{}</td></tr>\
             <tr><th>Running at once</th><td class=n>{:.1} on average, {} at most</td></tr></table>",
            plan.graph.actions.len(),
            self.done.len(),
            self.reused,
            if total > 0.0 { work / total } else { 0.0 },
            self.most_at_once(),
        );
        self.chart(plan, total, &mut page);
        self.table(plan, &mut page);
        page.push_str("</body></html>\n");
        page
    }

    fn most_at_once(&self) -> usize {
        let mut moments: Vec<(f64, i64)> =
            self.done.iter().flat_map(|(_, span)| [(span.start, 1), (span.end, -1)]).collect();
        moments.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut running = 0;
        let most = moments.into_iter().map(|(_, change)| {
            running += change;
            running
        });
        usize::try_from(most.max().unwrap_or(0)).unwrap_or(0)
    }

    fn chart(&self, plan: &Plan, total: f64, page: &mut String) {
        let mut rows = self.done.clone();
        rows.sort_by(|a, b| a.1.start.total_cmp(&b.1.start));
        let scale = WIDTH / total.max(0.001);
        let height = (rows.len() + 1) * ROW;
        let _ = writeln!(page, "<h2>When</h2>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
        let step = step(total);
        let mut at = 0.0;
        while at <= total {
            let x = at * scale;
            let _ = writeln!(
                page,
                "<line class=g x1={x:.1} y1=0 x2={x:.1} y2={height} /><text x={:.1} y=12>{at} s</text>",
                x + 2.0
            );
            at += step;
        }
        for (index, (action, span)) in rows.iter().enumerate() {
            let (y, x) = ((index + 1) * ROW, span.start * scale);
            let mut bar = |class: &str, from: f64, to: f64| {
                let _ = write!(
                    page,
                    "<rect class={class} x={:.1} y={y} width={:.1} height={} />",
                    from * scale,
                    ((to - from) * scale).max(1.0),
                    ROW - 3
                );
            };
            let early = span.early.unwrap_or(span.end);
            bar(if span.failed { "f" } else { "w" }, span.start, early);
            if span.early.is_some() {
                bar("e", early, span.end);
            }
            // A name that would leave the picture on the right stands left of its bar.
            let (x, anchor) = if x > WIDTH * 0.7 { (x - 4.0, "end") } else { (x + 4.0, "start") };
            let _ = writeln!(
                page,
                "<text x={x:.1} y={} text-anchor={anchor}>{} {:.2} s</text>",
                y + 11,
                name(plan, *action),
                span.end - span.start
            );
        }
        page.push_str("</svg>\n<p>The darker part of a bar is code generation: what waits only for metadata starts before it.</p>\n");
    }

    fn table(&self, plan: &Plan, page: &mut String) {
        let mut rows = self.done.clone();
        let took = |span: &Span| span.end - span.start;
        rows.sort_by(|a, b| took(&b.1).total_cmp(&took(&a.1)));
        page.push_str(
            "<h2>How long</h2>\n<table><tr><th>Unit</th><th>Seconds</th><th>Metadata after</th><th>Features</th></tr>\n",
        );
        for (action, span) in rows {
            let unit = plan.unit(plan.unit_of(action));
            let features: Vec<String> = unit.features.iter().map(ToString::to_string).collect();
            let early = span.early.map(|early| format!("{:.2}", early - span.start)).unwrap_or_default();
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td class=n>{:.2}</td><td class=n>{early}</td><td>{}</td></tr>",
                name(plan, action),
                took(&span),
                escaped(&features.join(", "))
            );
        }
        page.push_str("</table>\n");
    }
}

fn name(plan: &Plan, action: ActionId) -> String {
    let unit = plan.unit(plan.unit_of(action));
    let what = match unit.mode {
        wharf_ops::plan::Mode::RunScript => "run of the build script".to_owned(),
        mode => format!("{} {}", unit.target.kind.description(), mode.name()),
    };
    escaped(&format!("{} {} ({what})", unit.id().name(), unit.id().version()))
}

/// Seconds between two lines, so that there are about ten.
fn step(total: f64) -> f64 {
    let steps = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
    steps.into_iter().find(|step| total / step <= 12.0).unwrap_or(1800.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_not_crowded() {
        assert_eq!(step(1.0), 0.1);
        assert_eq!(step(90.0), 10.0);
        assert_eq!(step(100_000.0), 1800.0);
    }
}
