//! A Rust source as its tokens: comments, literals and what is only compiled for tests left out.

/// The tokens of `source`: words, `::`, and every other sign by itself. A string literal is the
/// token `"` with its text, for `#[path = "..."]`.
pub(super) fn of(source: &str) -> Vec<String> {
    without_tests(all(source))
}

fn all(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('"') || rest.starts_with("b\"") || rest.starts_with("c\"") {
            let length = string(rest);
            tokens.push(rest[..length].to_owned());
            length
        } else if first == '\'' || rest.starts_with("b'") {
            quote(rest)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match text.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            Some(_) => at += 1,
            None if text.is_char_boundary(at + 1) && at + 2 > text.len() => return text.len(),
            None => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

/// `r"..."`, `br#"..."#` and the like.
fn raw_string(text: &str) -> Option<usize> {
    let start = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)? + end.len();
    Some(text.len() - body.len() + length)
}

fn string(text: &str) -> usize {
    let open = text.find('"').unwrap() + 1;
    let mut escaped = false;
    for (at, c) in text[open..].char_indices() {
        match c {
            '"' if !escaped => return open + at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// A character, or the tick of a lifetime.
fn quote(text: &str) -> usize {
    let open = text.find('\'').unwrap() + 1;
    let mut chars = text[open..].char_indices();
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            let end = chars.find(|(_, c)| *c == '\'');
            end.map_or(text.len(), |(at, _)| open + at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => open + at + 1,
            _ => open,
        },
        None => open,
    }
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if is(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += item(&tokens[at + 7..]) + 7;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Whether `tokens` begins so.
fn is(tokens: &[String], start: &[&str]) -> bool {
    tokens.len() >= start.len() && tokens.iter().zip(start).all(|(one, other)| one == other)
}

/// How many tokens an item has: up to its semicolon, or to the end of its braces.
pub(super) fn item(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.as_str(), ";" | "}") {
            return at + 1;
        }
    }
    tokens.len()
}
