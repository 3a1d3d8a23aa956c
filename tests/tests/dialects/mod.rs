//! CSV files in random dialects: always the same ones for the same seed.

use serde_json::{Map, Value, json};
use tests::fixtures::Random;

/// A file, the options it is read with, and the schema's types.
pub struct Case {
    pub reader: &'static str,
    pub text: Vec<u8>,
    pub options: Map<String, Value>,
    pub schema: Map<String, Value>,
}

struct Author<'a> {
    random: &'a mut Random,
    delimiter: &'static str,
    decimal: char,
    pandas: bool,
}

impl Author<'_> {
    fn one_in(&mut self, times: u64) -> bool {
        self.random.below(times) == 0
    }

    fn pick<'t>(&mut self, among: &[&'t str]) -> &'t str {
        among[self.random.below(among.len() as u64) as usize]
    }

    fn digits(&mut self, most: u64) -> String {
        let count = 1 + self.random.below(most);
        (0..count).map(|_| char::from(b'0' + self.random.below(10) as u8)).collect()
    }

    fn float(&mut self) -> String {
        let sign = self.pick(&["", "", "-", "+"]);
        // Beyond 15 digits, and in scaling by an exponent, pandas' versions differ: the reader's own tests have 2.3's bits.
        let (whole, fraction) = (self.digits(6), self.digits(if self.pandas { 9 } else { 20 }));
        let exponent = match self.random.below(8) {
            _ if self.pandas => String::new(),
            0 => format!("e{}", self.random.below(25)),
            1 => format!("E-{}", self.random.below(25)),
            _ => String::new(),
        };
        format!("{sign}{whole}{}{fraction}{exponent}", self.decimal)
    }

    fn time(&mut self, shape: u64) -> String {
        let (year, month, day) = (1990 + self.random.below(40), 1 + self.random.below(12), 1 + self.random.below(28));
        let (hour, minute, second) = (self.random.below(24), self.random.below(60), self.random.below(60));
        let date = format!("{year}-{month:02}-{day:02}");
        let clock = format!("{hour:02}:{minute:02}:{second:02}");
        match shape {
            0 => date,
            1 => format!("{date} {clock}"),
            2 => format!("{date}T{clock}Z"),
            3 => format!("{date}T{clock}.{}", self.digits(9)),
            4 => format!("{date} {hour:02}:{minute:02}"),
            5 => format!("{date}T{clock}"),
            6 => format!("{day:02}/{month:02}/{year} {clock}"),
            7 => format!("{year}{month:02}{day:02}"),
            8 => format!("{date}T{clock}+10:00"),
            _ => format!("{year}/{month:02}/{day:02} {clock}"),
        }
    }

    fn word(&mut self) -> String {
        let words = [
            "Coral Bay",
            "",
            "x",
            "a;b",
            "1,5",
            "é",
            "née",
            "say \"hi\"",
            "line\nbreak",
            " lead",
            "trail ",
            "#7",
            "NA",
            "12a",
            "-",
            "tab\there",
        ];
        self.pick(&words).to_owned()
    }

    /// A value of a column of a kind.
    fn value(&mut self, kind: &str, shape: u64) -> String {
        match kind {
            "int" => format!("{}{}{}", self.pick(&["", "", "-"]), 1 + self.random.below(9), self.digits(8)),
            // More than int64 holds, and the same float in all versions.
            "long" => format!("{}{}000000000000000", self.digits(3), self.random.below(10)),
            "float" => self.float(),
            "bool" => self.pick(&["True", "False", "true", "FALSE"]).to_owned(),
            "time" => self.time(shape),
            "mixed" => {
                let kind = self.pick(&["int", "float", "word", "bool"]);
                self.value(kind, shape)
            }
            _ => self.word(),
        }
    }

    fn quoted(&mut self, value: &str) -> String {
        let needs = value.contains(['"', '\n', '\r']) || value.contains(self.delimiter) || (value.contains('#') && self.pandas);
        if needs || self.one_in(10) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
    }
}

fn polars_type(kind: &str, random: &mut Random) -> &'static str {
    let among: &[&str] = match kind {
        "int" => &["int32", "int64", "double", "float", "string"],
        "long" => &["uint64", "double", "string"],
        "float" => &["double", "float", "string"],
        "bool" => &["bool", "string"],
        "time" => &["timestamp[ns]", "string"],
        _ => &["string"],
    };
    among[random.below(among.len() as u64) as usize]
}

/// One file.
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let pandas = random.below(3) > 0;
    let delimiter = [",", ",", ";", "\t", "|"][random.below(5) as usize];
    let decimal = if delimiter == ";" && random.below(3) == 0 { ',' } else { '.' };
    let mut author = Author { random: &mut random, delimiter, decimal, pandas };
    let mut options = Map::new();
    let mut schema = Map::new();
    if pandas {
        let name = author.pick(&["sep", "delimiter"]);
        options.insert(name.to_owned(), json!(delimiter));
    } else {
        options.insert("separator".to_owned(), json!(delimiter));
    }
    if decimal == ',' {
        let (name, value) = if pandas { ("decimal", json!(",")) } else { ("decimal_comma", json!(true)) };
        options.insert(name.to_owned(), value);
    }
    let kinds = ["int", "long", "float", "bool", "time", "word", "mixed", "int", "float"];
    let count = 2 + author.random.below(6);
    let columns: Vec<(String, &str, u64, u64)> = (0..count)
        .map(|i| {
            let shape = if author.pandas { author.random.below(10) } else { [0, 1, 2, 3, 4, 5, 9][author.random.below(7) as usize] };
            (format!("c{i}"), author.pick(&kinds), shape, [0, 0, 3, 8][author.random.below(4) as usize])
        })
        .collect();
    let comments = author.one_in(4);
    let rows = [0, 1, 3, 40, 200][author.random.below(5) as usize].min(if author.pandas { 200 } else { 199 }) + author.random.below(3);
    options_of(&mut author, &columns, comments, &mut options);
    if !pandas {
        for (name, kind, ..) in &columns {
            schema.insert(name.clone(), json!(polars_type(kind, author.random)));
        }
    }
    let text = text(&mut author, &columns, rows, comments, &options);
    Case { reader: if pandas { "pandas" } else { "polars" }, text, options, schema }
}

fn options_of(author: &mut Author<'_>, columns: &[(String, &str, u64, u64)], comments: bool, options: &mut Map<String, Value>) {
    let missing = json!(["N/A", "NaN", "-999"]);
    if !author.pandas {
        options.insert("null_values".to_owned(), missing);
        if comments {
            options.insert("comment_prefix".to_owned(), json!("#"));
        }
        if author.one_in(5) {
            options.insert("encoding".to_owned(), json!("utf-8"));
        }
        if author.one_in(5) {
            options.insert("missing_utf8_is_empty_string".to_owned(), json!(true));
        }
        return;
    }
    let dates: Vec<&str> = columns.iter().filter(|c| c.1 == "time").map(|c| c.0.as_str()).collect();
    if !dates.is_empty() && !author.one_in(4) {
        options.insert("parse_dates".to_owned(), json!(dates));
        if author.one_in(2) && columns.iter().any(|c| c.0 == dates[0] && c.3 == 0) {
            options.insert("index_col".to_owned(), json!(dates[0]));
        }
    }
    match author.random.below(5) {
        0 => drop(options.insert("na_values".to_owned(), missing)),
        1 => drop(options.insert("na_values".to_owned(), json!({"c0": ["N/A", "x"], "c1": "12a"}))),
        2 => drop(options.insert("na_values".to_owned(), json!(-999))),
        _ => {}
    }
    for (name, value, times) in [
        ("keep_default_na", json!(false), 8),
        ("na_filter", json!(false), 12),
        ("skip_blank_lines", json!(false), 8),
        ("skipinitialspace", json!(true), 8),
        ("dayfirst", json!(true), 20),
        ("encoding", json!("utf-8"), 4),
        ("low_memory", json!(false), 6),
        ("true_values", json!(["x"]), 10),
        ("nrows", json!(20), 10),
    ] {
        // What pandas itself trips over.
        let by_column = name == "keep_default_na" && options.get("na_values").is_some_and(Value::is_object);
        let any_year = name == "na_filter" && options.contains_key("parse_dates");
        if author.one_in(times) && !by_column && !any_year {
            options.insert(name.to_owned(), value);
        }
    }
    if comments {
        options.insert("comment".to_owned(), json!("#"));
    }
    if author.one_in(10) && columns[1].1 != "time" {
        options.insert("dtype".to_owned(), json!({"c1": "str"}));
    }
    if author.one_in(8) {
        options.insert("encoding".to_owned(), json!("latin-1"));
    }
    if author.one_in(10) && !options.contains_key("index_col") {
        options.insert("usecols".to_owned(), json!(columns.iter().map(|c| c.0.as_str()).collect::<Vec<_>>()));
    }
}

fn text(author: &mut Author<'_>, columns: &[(String, &str, u64, u64)], rows: u64, comments: bool, options: &Map<String, Value>) -> Vec<u8> {
    let end = if author.one_in(3) { "\r\n" } else { "\n" };
    let mut text = String::new();
    if author.one_in(10) && options.get("encoding") != Some(&json!("latin-1")) {
        text.push('\u{feff}');
    }
    let names: Vec<&str> = columns.iter().map(|c| c.0.as_str()).collect();
    text += &(names.join(author.delimiter) + end);
    let gap = author.pick(&["", "", "NaN", "N/A", "-999", "-999.0"]).to_owned();
    for _ in 0..rows {
        if author.pandas && author.one_in(20) {
            text.extend([if author.one_in(2) { "" } else { "  " }, end]);
        }
        if comments && author.one_in(12) {
            // A quote in a comment leads polars astray.
            text.extend(["# a note", if author.pandas { ", \"with a quote" } else { "" }, end]);
        }
        let mut fields = Vec::new();
        for (_, kind, shape, gaps) in columns {
            let value = if *gaps > 0 && author.one_in(*gaps) { gap.clone() } else { author.value(kind, *shape) };
            // What does not fit: a word among numbers, an early end.
            let value = if author.pandas && author.one_in(400) { "odd".to_owned() } else { value };
            fields.push(author.quoted(&value));
        }
        if author.one_in(40) && fields.len() > 1 {
            fields.pop();
        }
        let line = fields.join(author.delimiter);
        if line.trim().is_empty() && !author.pandas {
            continue;
        }
        text += &(line + end);
    }
    if author.one_in(3) {
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    match options.get("encoding").and_then(Value::as_str) {
        Some("latin-1") => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        _ => text.into_bytes(),
    }
}
