//! How long each unit took, which of them the build's length was made of, and what hits saved: one page that needs
//! nothing else (`--timings`).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use wharf_exec::ActionId;
use wharf_ops::plan::{Mode, Plan};
use wharf_ops::story::Ending;
use wharf_ops::timeline::{Link, Span, Timeline};

/// The height of a bar with the room below it, and the width of the picture, in pixels.
const ROW: usize = 18;
const WIDTH: f64 = 1100.0;

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:2em auto;max-width:1180px;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;background:#fafafa}
text{font:11px system-ui,sans-serif;fill:#222}.w{fill:#8ab4e8}.e{fill:#4d7fbf}.f{fill:#d66}.g{stroke:#ddd}
.c{fill:none;stroke:#b50;stroke-width:2}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}svg{background:#222}text{fill:#ddd}
td,th{border-color:#444}.g{stroke:#444}.c{stroke:#fa4}}";

/// The page about a build that took `total`, its beginning being the timeline's.
pub fn page(timeline: &Timeline, plan: &Plan, total: Duration) -> String {
    let path: Vec<Link> = timeline.critical_path(&plan.graph).into_iter().filter(|link| link.ran).collect();
    let page = Page { timeline, plan, total, path };
    let mut text = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    // Writing to a string cannot fail.
    let _ = write!(text, "<title>Build timings</title>\n<style>{STYLE}</style></head><body>\n");
    let roots: Vec<String> = plan.roots.iter().map(|root| escaped(&plan.unit(*root).description())).collect();
    let _ = writeln!(text, "<h1>Build timings</h1>\n<p>{}</p>", roots.join(", "));
    page.summary(&mut text);
    page.critical_path(&mut text);
    page.chart(&mut text);
    page.units(&mut text);
    text.push_str("</body></html>\n");
    text
}

struct Page<'a> {
    timeline: &'a Timeline,
    plan: &'a Plan,
    total: Duration,
    /// What ran of the critical path.
    path: Vec<Link>,
}

impl Page<'_> {
    fn summary(&self, text: &mut String) {
        let timeline = self.timeline;
        text.push_str("<table>");
        let mut row = |name: &str, value: String| {
            let _ = write!(text, "<tr><th>{name}</th><td class=n>{value}</td></tr>");
        };
        let count = |ending| timeline.count(ending).to_string();
        let (total, work) = (self.total.as_secs_f64(), timeline.work().as_secs_f64());
        let average = if total > 0.0 { work / total } else { 0.0 };
        let most = timeline.most_at_once();
        row("Total", seconds(self.total));
        row("Units", self.plan.graph.actions.len().to_string());
        row("Built", count(Ending::Built));
        row("Restored from the store", count(Ending::Restored));
        row("Fresh", count(Ending::Fresh));
        if timeline.count(Ending::Failed) > 0 {
            row("Failed", count(Ending::Failed));
        }
        row("Saved by hits", seconds(timeline.saved()));
        row("Running at once", format!("{average:.1} on average, {most} at most"));
        text.push_str(
            "</table>\n<p>Hits are units that did not have to run. What they saved is how long their commands ran \
             when the results were made, less how long it took to do without.</p>\n",
        );
    }

    /// The units that waited for each other, and where the rest of the time went.
    fn critical_path(&self, text: &mut String) {
        text.push_str("<h2>Critical path</h2>\n");
        let (Some(first), Some(last)) = (self.path.first(), self.path.last()) else {
            text.push_str("<p>Nothing ran: every unit was a hit.</p>\n");
            return;
        };
        let part = |link: &Link| link.until.saturating_sub(link.start);
        let sum: Duration = self.path.iter().map(part).sum();
        let between = last.until.saturating_sub(first.start).saturating_sub(sum);
        let after = self.total.saturating_sub(last.until);
        let _ = writeln!(
            text,
            "<p>Of {} the units below, each waiting for the one before, took {}. Before the first, {} passed with \
             resolving, planning and hits; between them {} with hits and waiting for other commands to end; after the \
             last {}.</p>",
            seconds(self.total),
            seconds(sum),
            seconds(first.start),
            seconds(between),
            seconds(after)
        );
        text.push_str(
            "<table><tr><th>Unit</th><th>Began at</th><th>Seconds</th><th>Then the next could begin, by</th></tr>\n",
        );
        for link in &self.path {
            let is_whole = self.span(link.action).is_none_or(|span| span.end == link.until);
            let _ = writeln!(
                text,
                "<tr><td>{}</td><td class=n>{:.2}</td><td class=n>{:.2}</td><td>{}</td></tr>",
                name(self.plan, link.action),
                link.start.as_secs_f64(),
                part(link).as_secs_f64(),
                if is_whole { "its end" } else { "its metadata" }
            );
        }
        text.push_str("</table>\n");
    }

    fn span(&self, action: ActionId) -> Option<&Span> {
        self.timeline.spans().find_map(|(id, span)| (id == action).then_some(span))
    }

    fn chart(&self, text: &mut String) {
        let mut rows: Vec<(ActionId, &Span)> =
            self.timeline.spans().filter(|(_, span)| !span.ending.is_hit()).collect();
        rows.sort_by_key(|(_, span)| span.start);
        let total = self.total.as_secs_f64();
        let scale = WIDTH / total.max(0.001);
        let height = (rows.len() + 1) * ROW;
        let _ = writeln!(text, "<h2>When</h2>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
        let step = step(total);
        let mut at = 0.0;
        while at <= total {
            let x = at * scale;
            let _ = writeln!(
                text,
                "<line class=g x1={x:.1} y1=0 x2={x:.1} y2={height} /><text x={:.1} y=12>{at} s</text>",
                x + 2.0
            );
            at += step;
        }
        let path: BTreeSet<ActionId> = self.path.iter().map(|link| link.action).collect();
        for (index, (action, span)) in rows.iter().enumerate() {
            let is_critical = path.contains(action);
            self.bar((*action, span, is_critical), (index + 1) * ROW, scale, text);
        }
        text.push_str(
            "</svg>\n<p>The darker part of a bar is code generation: what waits only for metadata starts before it. Bars \
             with a frame are the critical path.</p>\n",
        );
    }

    fn bar(
        &self,
        (action, span, is_critical): (ActionId, &Span, bool),
        y: usize,
        scale: f64,
        text: &mut String,
    ) {
        let mut rectangle = |class: &str, from: Duration, to: Duration| {
            let _ = write!(
                text,
                "<rect class={class} x={:.1} y={y} width={:.1} height={} />",
                from.as_secs_f64() * scale,
                (to.saturating_sub(from).as_secs_f64() * scale).max(1.0),
                ROW - 3
            );
        };
        let early = span.early.unwrap_or(span.end);
        rectangle(if span.ending == Ending::Failed { "f" } else { "w" }, span.start, early);
        if span.early.is_some() {
            rectangle("e", early, span.end);
        }
        if is_critical {
            rectangle("c", span.start, span.end);
        }
        // A name that would leave the picture on the right stands left of its bar.
        let x = span.start.as_secs_f64() * scale;
        let (x, anchor) = if x > WIDTH * 0.7 { (x - 4.0, "end") } else { (x + 4.0, "start") };
        let _ = writeln!(
            text,
            "<text x={x:.1} y={} text-anchor={anchor}>{} {}</text>",
            y + 11,
            name(self.plan, action),
            seconds(span.took())
        );
    }

    fn units(&self, text: &mut String) {
        let mut rows: Vec<(ActionId, &Span)> = self.timeline.spans().collect();
        let rank = |span: &Span| (!span.ending.is_hit(), span.saved().max(span.took()));
        rows.sort_by_key(|(_, span)| std::cmp::Reverse(rank(span)));
        text.push_str(
            "<h2>How long</h2>\n<table><tr><th>Unit</th><th>Result</th><th>Seconds</th><th>Metadata after</th>\
             <th>Saved</th><th>Features</th></tr>\n",
        );
        for (action, span) in rows {
            let unit = self.plan.unit(self.plan.unit_of(action));
            let features: Vec<String> = unit.features.iter().map(ToString::to_string).collect();
            let number = |time: Duration| format!("{:.2}", time.as_secs_f64());
            let early = span.early.map(|early| number(early.saturating_sub(span.start)));
            let _ = writeln!(
                text,
                "<tr><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td>{}</td></tr>",
                name(self.plan, action),
                word(span.ending),
                number(span.took()),
                early.unwrap_or_default(),
                if span.ending.is_hit() { number(span.saved()) } else { String::new() },
                escaped(&features.join(", "))
            );
        }
        text.push_str("</table>\n");
    }
}

fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Built => "built",
        Ending::Failed => "failed",
        Ending::Restored => "restored",
        Ending::Fresh => "fresh",
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn name(plan: &Plan, action: ActionId) -> String {
    let unit = plan.unit(plan.unit_of(action));
    let what = match unit.mode {
        Mode::RunScript => "run of the build script".to_owned(),
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
