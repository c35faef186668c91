//! JSON lines in, JSON lines out, in order.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::Context;
use limpet_envoy::inert;
use serde_json::json;

use super::{Explainer, Request};

/// Answers every line of `from`, a file or `-`; an unreadable line gets an error line.
pub(super) fn answer_all(explainer: &mut Explainer, from: &str) -> anyhow::Result<()> {
    let input: Box<dyn Read> = match from {
        "-" => Box::new(std::io::stdin()),
        path => {
            Box::new(std::fs::File::open(path).with_context(|| format!("{path}: cannot be read"))?)
        }
    };
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(input).split(b'\n') {
        let line = line.with_context(|| format!("{from}: cannot be read"))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => serde_json::to_string(&explainer.answer(&request))?,
            Err(error) => json!({ "id": null, "error": error.to_string() }).to_string(),
        };
        // Flushed line by line: whoever asks may wait for the answer before asking on.
        let written = writeln!(out, "{}", inert::json(&answer)).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.context("standard output: cannot be written")?,
        }
    }
    Ok(())
}
