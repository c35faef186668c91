//! What goes to standard error, in clap's style: coloured on a terminal, unless NO_COLOR is set.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::inert;

/// Something the operator should know: it was skipped, assumed or left out.
pub fn note(text: impl Display) {
    say(AnsiColor::Cyan, "note", &inert::line(&text.to_string()));
}

/// Why a command could not do its work.
pub fn error(error: &anyhow::Error) {
    say(
        AnsiColor::Red,
        "error",
        &inert::lines(&format!("{error:#}")),
    );
}

fn say(colour: AnsiColor, word: &str, text: &str) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    anstream::eprintln!("{style}{word}:{style:#} {text}");
}
