//! Rust source as tokens: comments and strings left out, inline test modules cut off, and the paths it names. Enough for
//! the rules; no parser.

/// The tokens of a file: words, `::`, `=>`, and single characters.
pub(crate) struct Code(Vec<String>);

impl Code {
    pub(crate) fn of(text: &str) -> Self {
        let mut code = Self(tokens(&bare(text)));
        code.cut_tests();
        code
    }

    pub(crate) fn tokens(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn names(&self, word: &str) -> bool {
        self.0.iter().any(|token| token == word)
    }

    /// Removes `#[cfg(test)] mod name { .. }`.
    fn cut_tests(&mut self) {
        let marker = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        while let Some(start) = self.0.windows(marker.len()).position(|w| w.iter().eq(marker)) {
            let body = start + marker.len() + 1;
            let end = match self.0.get(body).map(String::as_str) {
                Some("{") => closing(&self.0, body),
                _ => body,
            };
            self.0.drain(start..=end.min(self.0.len() - 1));
        }
    }

    /// Every path that is written with `::`, those in `use` with their braces unfolded.
    pub(crate) fn paths(&self) -> Vec<String> {
        let (mut paths, mut at) = (Vec::new(), 0);
        while at < self.0.len() {
            at = if self.0[at] == "use" {
                unfold(&self.0, at + 1, "", &mut paths)
            } else {
                inline(&self.0, at, &mut paths)
            };
        }
        paths
    }
}

/// The token that closes the bracket at `open`.
pub(crate) fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len() - 1
}

/// A use tree from `at` on; answers where it ends.
fn unfold(tokens: &[String], mut at: usize, before: &str, paths: &mut Vec<String>) -> usize {
    let mut path = before.to_owned();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                let end = closing(tokens, at);
                at += 1;
                while at < end {
                    at = unfold(tokens, at, &path, paths) + 1;
                }
                return end + usize::from(tokens.get(end + 1).is_some_and(|t| t == "," || t == ";"));
            }
            "," | ";" | "}" => break,
            "as" => at += 1,
            part => path.push_str(part),
        }
        at += 1;
    }
    paths.push(path.trim_start_matches("::").to_owned());
    at
}

/// A path in the middle of code.
fn inline(tokens: &[String], at: usize, paths: &mut Vec<String>) -> usize {
    let mut path = tokens[at].clone();
    let mut end = at + 1;
    while tokens.get(end).is_some_and(|t| t == "::") && tokens.get(end + 1).is_some_and(|t| is_word(t)) {
        path.push_str("::");
        path.push_str(&tokens[end + 1]);
        end += 2;
    }
    if end > at + 1 {
        paths.push(path);
    }
    end
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = c.to_string();
        if is_word(&token) {
            while let Some(next) = chars.next_if(|n| n.is_alphanumeric() || *n == '_') {
                token.push(next);
            }
        } else if c == ':' || c == '=' {
            let pair = if c == ':' { ":" } else { "=>" };
            token.extend(chars.next_if(|n| pair.contains(*n)));
        }
        if !c.is_whitespace() {
            tokens.push(token);
        }
    }
    tokens
}

/// The text without comments, and with empty strings.
fn bare(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let skip =
            comment(rest).or_else(|| string(rest, out.ends_with(|c: char| c.is_alphanumeric() || c == '_')));
        if let Some(length) = skip {
            out.push_str(if rest.starts_with('/') { " " } else { "\"\"" });
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The length of the comment that begins here.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of the string or character that begins here, and not inside a word.
fn string(text: &str, in_word: bool) -> Option<usize> {
    if !in_word && (text.starts_with("r\"") || text.starts_with("r#") || text.starts_with("br")) {
        let start = text.find('"')?;
        let hashes = text[..start].trim_start_matches('b').strip_prefix('r')?;
        if hashes.chars().all(|c| c == '#') {
            let close = format!("\"{hashes}");
            let body = &text[start + 1..];
            return Some(start + 1 + body.find(&close).map_or(body.len(), |end| end + close.len()));
        }
    }
    let quote = text.chars().next()?;
    if quote != '"' && quote != '\'' {
        return None;
    }
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(i + 1);
        } else if quote == '\'' && i > 1 && !text.starts_with("'\\") {
            // A lifetime.
            return None;
        }
    }
    None
}
