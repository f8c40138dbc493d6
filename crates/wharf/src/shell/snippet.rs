//! Draws the line of a file that an error is about.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use wharf_ops::Refusal;

/// The columns that are used when nobody knows how wide the terminal is.
const USUAL_WIDTH: usize = 140;

/// A refusal with the line where it is; `None` if the place is not known.
pub(super) fn draw(refusal: &Refusal<'_>, unicode: bool, width: Option<usize>) -> Option<String> {
    let place = refusal.place?;
    let length = place.text.len();
    let start = place.span.start.min(length);
    let span = start..place.span.end.clamp(start, length);
    let path = refusal.path.display().to_string();
    let snippet =
        Snippet::source(&*place.text).path(path.as_str()).annotation(AnnotationKind::Primary.span(span));
    let group = Group::with_title(Level::ERROR.primary_title(refusal.message.trim_end())).element(snippet);
    let decor = if unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
    let renderer = Renderer::styled().decor_style(decor).term_width(width.unwrap_or(USUAL_WIDTH));
    Some(renderer.render(&[group]))
}
