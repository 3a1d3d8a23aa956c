//! The words of a Python snippet. Line ends inside brackets do not count; indentation does.

/// One word of a snippet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    Text(String),
    /// An operator, a bracket or a mark.
    Mark(&'static str),
    /// The end of a statement.
    End,
    Indent,
    Dedent,
}

/// A word and the line it stands in, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub token: Token,
    pub line: usize,
}

const MARKS: &[&str] = &[
    "**", "//", "==", "!=", "<=", ">=", "->", "+=", "-=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "+", "-", "*", "/", "%", "<",
    ">", ";", "@", "~", "&", "|",
];

pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut lexer = Lexer { rest: text, line: 1, depth: 0, indents: vec![0], words: Vec::new(), fresh: true };
    lexer.run()?;
    Ok(lexer.words)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    /// Open brackets.
    depth: usize,
    indents: Vec<usize>,
    words: Vec<Word>,
    /// At the start of a line that counts.
    fresh: bool,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            if self.fresh && self.depth == 0 && !self.indentation()? {
                break;
            }
            let Some(next) = self.rest.chars().next() else { break };
            match next {
                '\n' => {
                    self.take(1);
                    self.line += 1;
                    if self.depth == 0 {
                        self.push(Token::End, self.line - 1);
                        self.fresh = true;
                    }
                }
                ' ' | '\t' | '\r' => self.take(1),
                '\\' if self.rest[1..].starts_with('\n') || self.rest[1..].starts_with("\r\n") => {
                    let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
                    self.take(end);
                    self.line += 1;
                }
                '#' => self.take(self.rest.find('\n').unwrap_or(self.rest.len())),
                '"' | '\'' => self.text()?,
                '0'..='9' => self.number(),
                c if c.is_alphabetic() || c == '_' => self.name()?,
                _ => self.mark()?,
            }
        }
        self.push(Token::End, self.line);
        while self.indents.len() > 1 {
            self.indents.pop();
            self.push(Token::Dedent, self.line);
        }
        Ok(())
    }

    fn push(&mut self, token: Token, line: usize) {
        let idle =
            token == Token::End && self.words.last().is_none_or(|word| matches!(word.token, Token::End | Token::Indent | Token::Dedent));
        if !idle {
            self.words.push(Word { token, line });
        }
    }

    fn take(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Skips blank lines and tells how deep the next one stands; false at the end of the text.
    fn indentation(&mut self) -> Result<bool, String> {
        self.fresh = false;
        loop {
            let body = self.rest.trim_start_matches([' ', '\t', '\r']);
            let width: usize = self.rest[..self.rest.len() - body.len()].chars().map(|c| if c == '\t' { 8 } else { 1 }).sum();
            if body.is_empty() {
                self.rest = body;
                return Ok(false);
            }
            if body.starts_with(['\n', '#']) {
                let end = body.find('\n').map_or(body.len(), |at| at + 1);
                self.rest = &body[end..];
                self.line += 1;
                continue;
            }
            self.rest = body;
            if width > self.indents.last().copied().unwrap_or_default() {
                self.indents.push(width);
                self.push(Token::Indent, self.line);
            }
            while width < self.indents.last().copied().unwrap_or_default() {
                self.indents.pop();
                self.push(Token::Dedent, self.line);
            }
            if width != self.indents.last().copied().unwrap_or_default() {
                return Err(format!("line {}: its indentation fits no line before it", self.line));
            }
            return Ok(true);
        }
    }

    fn text(&mut self) -> Result<(), String> {
        let start = self.line;
        let quote = &self.rest[..1];
        let fence = if self.rest.starts_with(&quote.repeat(3)) { quote.repeat(3) } else { quote.to_owned() };
        self.take(fence.len());
        let mut value = String::new();
        loop {
            if self.rest.starts_with(&fence) {
                self.take(fence.len());
                self.push(Token::Text(value), start);
                return Ok(());
            }
            let mut chars = self.rest.chars();
            let c = match chars.next() {
                Some('\\') => match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c @ ('\\' | '\'' | '"')) => c,
                    _ => return Err(format!("line {}: an escape in a text", self.line)),
                },
                Some('\n') if fence.len() == 1 => return Err(format!("line {start}: a text without an end")),
                None => return Err(format!("line {start}: a text without an end")),
                Some(c) => c,
            };
            self.line += usize::from(self.rest.starts_with('\n'));
            let used = self.rest.len() - chars.as_str().len();
            self.take(used);
            value.push(c);
        }
    }

    fn number(&mut self) {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))).unwrap_or(self.rest.len());
        // 1e-5: the sign belongs to the exponent.
        let signed = self.rest[..end].ends_with(['e', 'E']) && self.rest[end..].starts_with(['-', '+']);
        let more = if signed { self.rest[end + 1..].bytes().take_while(u8::is_ascii_digit).count() + 1 } else { 0 };
        let text = self.rest[..end + more].to_owned();
        self.take(end + more);
        self.push(Token::Number(text), self.line);
    }

    fn name(&mut self) -> Result<(), String> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let name = self.rest[..end].to_owned();
        self.take(end);
        if self.rest.starts_with(['"', '\'']) {
            return match name.as_str() {
                "u" | "U" => self.text(),
                _ => Err(format!("line {}: a text with the prefix `{name}`", self.line)),
            };
        }
        self.push(Token::Name(name), self.line);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), String> {
        let Some(mark) = MARKS.iter().find(|mark| self.rest.starts_with(**mark)) else {
            return Err(format!("line {}: the character {:?}", self.line, self.rest.chars().next().unwrap_or_default()));
        };
        self.take(mark.len());
        match *mark {
            "(" | "[" | "{" => self.depth += 1,
            ")" | "]" | "}" => self.depth = self.depth.saturating_sub(1),
            ";" => {
                self.push(Token::End, self.line);
                return Ok(());
            }
            _ => {}
        }
        self.push(Token::Mark(mark), self.line);
        Ok(())
    }
}
