//! Fields and lines in a block of bytes: the innermost loop of the reader.

use std::borrow::Cow;

use super::dialect::Dialect;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A byte where a field may end, eight at a time. The lowest mark is always a true one.
#[inline]
fn marks(word: u64, pattern: u64) -> u64 {
    let difference = word ^ pattern;
    difference.wrapping_sub(LOW) & !difference & HIGH
}

/// A place in a block.
pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub pos: usize,
    pub dialect: &'a Dialect,
    plain: bool,
    delimiter: u8,
    newline: u8,
    patterns: [u64; 3],
}

/// What stands after a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Field,
    Line,
}

/// A field without its quotes.
pub(super) struct Field<'a> {
    pub text: Cow<'a, [u8]>,
    pub quoted: bool,
}

/// A quote that is never closed, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub usize);

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], dialect: &'a Dialect) -> Self {
        let (delimiter, newline) = (dialect.delimiter, dialect.newline);
        let patterns = [delimiter, newline, b'\r'].map(|byte| LOW * u64::from(byte));
        Self { bytes, pos: 0, dialect, plain: dialect.is_plain(), delimiter, newline, patterns }
    }

    #[inline]
    pub fn at_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Whether a field that reaches to `pos` ends there, with no need to look further.
    #[inline]
    pub fn ends_at(&self, pos: usize) -> bool {
        match self.bytes.get(pos) {
            None => true,
            Some(&byte) => byte == self.delimiter || byte == self.newline || (byte == b'\r' && self.returns_at(pos)),
        }
    }

    #[cold]
    fn returns_at(&self, pos: usize) -> bool {
        self.dialect.bare_return() || self.bytes.get(pos + 1).is_none_or(|&next| next == self.newline)
    }

    /// The first place from `pos` on where an unquoted field ends.
    #[inline]
    fn unquoted_end(&self, mut pos: usize) -> usize {
        loop {
            while let Some(chunk) = self.bytes.get(pos..).and_then(|rest| rest.first_chunk::<8>()) {
                let word = u64::from_le_bytes(*chunk);
                let [delimiter, newline, carriage] = self.patterns;
                let found = marks(word, delimiter) | marks(word, newline) | marks(word, carriage);
                if found == 0 {
                    pos += 8;
                } else {
                    pos += found.trailing_zeros() as usize / 8;
                    break;
                }
            }
            while pos < self.bytes.len() && !matches!(self.bytes[pos], b if b == self.delimiter || b == self.newline || b == b'\r') {
                pos += 1;
            }
            if self.ends_at(pos) {
                return pos;
            }
            pos += 1;
        }
    }

    /// Reads the field that begins here and stops behind it.
    #[inline]
    pub fn field(&mut self) -> Result<Field<'a>, OpenQuote> {
        if self.plain && self.bytes.get(self.pos).copied() != self.dialect.quote {
            let start = self.pos;
            self.pos = self.unquoted_end(start);
            return Ok(Field { text: Cow::Borrowed(&self.bytes[start..self.pos]), quoted: false });
        }
        self.general_field()
    }

    /// Passes over the field that begins here.
    #[inline]
    pub fn skip_field(&mut self) -> Result<(), OpenQuote> {
        if self.plain && self.bytes.get(self.pos).copied() != self.dialect.quote {
            self.pos = self.unquoted_end(self.pos);
            return Ok(());
        }
        self.general_field().map(drop)
    }

    /// A field with quotes, escapes, comments or spaces before it.
    #[inline(never)]
    fn general_field(&mut self) -> Result<Field<'a>, OpenQuote> {
        let dialect = self.dialect;
        while dialect.skip_initial_space && self.bytes.get(self.pos) == Some(&b' ') {
            self.pos += 1;
        }
        let quoted = dialect.quote.is_some() && self.bytes.get(self.pos).copied() == dialect.quote;
        if !quoted && self.plain {
            return self.field();
        }
        let start = self.pos;
        let mut text = Vec::new();
        if quoted {
            self.pos += 1;
            self.inside_quotes(start, &mut text)?;
            if self.ends_at(self.pos) {
                // The usual field: one run between two quotes, nothing to unescape.
                let body = &self.bytes[start + 1..self.pos - 1];
                let text = if body.len() == text.len() { Cow::Borrowed(body) } else { Cow::Owned(text) };
                return Ok(Field { text, quoted });
            }
        }
        while !self.ends_at(self.pos) {
            let byte = self.bytes[self.pos];
            if Some(byte) == dialect.comment {
                break;
            }
            self.pos += 1;
            if Some(byte) == dialect.escape {
                let Some(&escaped) = self.bytes.get(self.pos) else { return Err(OpenQuote(start)) };
                text.push(escaped);
                self.pos += 1;
            } else {
                text.push(byte);
            }
        }
        Ok(Field { text: Cow::Owned(text), quoted })
    }

    /// From behind the opening quote to behind the closing one.
    fn inside_quotes(&mut self, start: usize, text: &mut Vec<u8>) -> Result<(), OpenQuote> {
        let quote = self.dialect.quote.unwrap_or(b'"');
        loop {
            let rest = &self.bytes[self.pos..];
            let found = match self.dialect.escape {
                Some(escape) => memchr::memchr2(quote, escape, rest),
                None => memchr::memchr(quote, rest),
            };
            let Some(length) = found else { return Err(OpenQuote(start)) };
            text.extend_from_slice(&rest[..length]);
            self.pos += length + 1;
            let next = self.bytes.get(self.pos).copied();
            if Some(rest[length]) == self.dialect.escape {
                let Some(escaped) = next else { return Err(OpenQuote(start)) };
                text.push(escaped);
                self.pos += 1;
            } else if next == Some(quote) && self.dialect.doublequote {
                text.push(quote);
                self.pos += 1;
            } else {
                return Ok(());
            }
        }
    }

    /// Goes on behind what ends a field.
    #[inline]
    pub fn after_field(&mut self) -> After {
        match self.bytes.get(self.pos) {
            Some(&byte) if byte == self.delimiter => {
                self.pos += 1;
                After::Field
            }
            Some(&byte) if byte == self.newline => {
                self.pos += 1;
                After::Line
            }
            _ => self.after_line(),
        }
    }

    #[cold]
    fn after_line(&mut self) -> After {
        if self.bytes.get(self.pos).copied() == self.dialect.comment && self.dialect.comment.is_some() {
            self.skip_to_line_end();
        }
        if self.bytes.get(self.pos) == Some(&b'\r') {
            self.pos += 1;
        }
        if self.bytes.get(self.pos) == Some(&self.newline) {
            self.pos += 1;
        }
        After::Line
    }

    fn skip_to_line_end(&mut self) {
        while self.bytes.get(self.pos).is_some_and(|&byte| byte != self.newline && !(byte == b'\r' && self.returns_at(self.pos))) {
            self.pos += 1;
        }
    }

    /// Passes over the blank and comment lines that stand here.
    #[inline]
    pub fn skip_lines_without_fields(&mut self) {
        while let Some(&byte) = self.bytes.get(self.pos) {
            let special = byte <= b' ' || Some(byte) == self.dialect.comment || self.dialect.comment_prefix.is_some();
            if !special || !self.skip_one_line_without_fields(byte) {
                return;
            }
        }
    }

    fn skip_one_line_without_fields(&mut self, byte: u8) -> bool {
        let rest = &self.bytes[self.pos..];
        let comment = Some(byte) == self.dialect.comment || self.dialect.comment_prefix.as_ref().is_some_and(|p| rest.starts_with(p));
        if comment {
            self.skip_to_line_end();
            self.after_line();
            return true;
        }
        if !self.dialect.skip_blank {
            return false;
        }
        let blanks = rest.iter().take_while(|&&b| matches!(b, b' ' | b'\t') && b != self.delimiter).count();
        let blank = rest.get(blanks).is_none_or(|&b| b == self.newline || b == b'\r');
        if blank {
            self.pos += blanks;
            self.after_line();
        }
        blank
    }

    /// Passes over a whole line, whatever its fields.
    pub fn skip_record(&mut self) -> Result<usize, OpenQuote> {
        let mut fields = 1;
        loop {
            self.skip_field()?;
            if self.after_field() == After::Line {
                return Ok(fields);
            }
            fields += 1;
        }
    }
}

/// The end of the last whole line in a block that begins with a line; none when no line is whole.
/// What is open there is said too: a quote, if that is why.
pub(super) fn last_line_end(bytes: &[u8], dialect: &Dialect) -> Result<Option<usize>, OpenQuote> {
    let quote = dialect.quote.filter(|&quote| memchr::memchr(quote, bytes).is_some());
    if dialect.escape.is_some() || (quote.is_some() && !dialect.is_plain()) {
        return last_line_end_by_fields(bytes, dialect);
    }
    let last = |bytes: &[u8]| {
        let whole = memchr::memrchr(dialect.newline, bytes);
        // A `\r` at the very end may be half of `\r\n`.
        let before = &bytes[..bytes.len().saturating_sub(1)];
        whole.or_else(|| memchr::memrchr(b'\r', before).filter(|_| dialect.bare_return())).map(|at| at + 1)
    };
    let Some(quote) = quote else { return Ok(last(bytes)) };
    let (mut end, mut pos) = (None, 0);
    while let Some(length) = memchr::memchr(quote, &bytes[pos..]) {
        let at = pos + length;
        if let Some(line_end) = last(&bytes[pos..at]) {
            end = Some(pos + line_end);
        }
        let opens =
            at == 0 || matches!(bytes[at - 1], b'\n' | b'\r') || bytes[at - 1] == dialect.delimiter || bytes[at - 1] == dialect.newline;
        pos = at + 1;
        if opens {
            loop {
                let Some(length) = memchr::memchr(quote, &bytes[pos..]) else { return end.map(Some).ok_or(OpenQuote(at)) };
                pos += length + 1;
                match bytes.get(pos) {
                    Some(&next) if next == quote && dialect.doublequote => pos += 1,
                    _ => break,
                }
            }
        }
    }
    if let Some(line_end) = last(&bytes[pos..]) {
        end = Some(pos + line_end);
    }
    Ok(end)
}

fn last_line_end_by_fields(bytes: &[u8], dialect: &Dialect) -> Result<Option<usize>, OpenQuote> {
    let mut cursor = Cursor::new(bytes, dialect);
    let mut end = None;
    loop {
        cursor.skip_lines_without_fields();
        let whole = |pos: usize| pos > 0 && pos < bytes.len();
        if whole(cursor.pos) {
            end = Some(cursor.pos);
        }
        if cursor.at_end() {
            break;
        }
        match cursor.skip_record() {
            Ok(_) if cursor.pos < bytes.len() || bytes.last() == Some(&dialect.newline) => end = Some(cursor.pos),
            Ok(_) => break,
            Err(open) => return end.map(Some).ok_or(open),
        }
    }
    Ok(end)
}
