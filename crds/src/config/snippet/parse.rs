//! The statements of a Python snippet, as far as computed columns need them.

use serde_json::Value;

use super::lex::{Token, Word, words};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    pub name: String,
    pub parameter: String,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub line: usize,
    pub kind: StatementKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum StatementKind {
    Assign(Expression, Expression),
    Return(Expression),
    If {
        test: Expression,
        then: Vec<Statement>,
        other: Vec<Statement>,
    },
    /// A module under the name the snippet gives it.
    Import {
        module: String,
        name: String,
    },
    /// A docstring, `pass`.
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Name(String),
    Literal(Value),
    List(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Attribute(Box<Expression>, String),
    Call { callee: Box<Expression>, arguments: Vec<Expression>, named: Vec<(String, Expression)> },
    Index(Box<Expression>, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// How deep brackets and blocks may stand in each other.
const DEEPEST: usize = 24;

/// The imports and functions of a snippet.
pub(super) fn module(text: &str) -> Result<(Vec<Statement>, Vec<Function>), String> {
    let mut parser = Parser { words: words(text)?, at: 0, depth: 0 };
    let (mut statements, mut functions) = (Vec::new(), Vec::new());
    while parser.at < parser.words.len() {
        if parser.word("def") { functions.push(parser.function()?) } else { statements.push(parser.statement()?) }
    }
    Ok((statements, functions))
}

struct Parser {
    words: Vec<Word>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn line(&self) -> usize {
        self.words.get(self.at).or(self.words.last()).map_or(1, |word| word.line)
    }

    fn unexpected<T>(&self) -> Result<T, String> {
        let what = match self.words.get(self.at).map(|word| &word.token) {
            Some(Token::Name(name)) => format!("`{name}`"),
            Some(Token::Number(text)) => format!("`{text}`"),
            Some(Token::Text(text)) => format!("{text:?}"),
            Some(Token::Mark(mark)) => format!("`{mark}`"),
            Some(Token::Indent | Token::Dedent) => "the indentation".to_owned(),
            Some(Token::End) | None => "the end of the line".to_owned(),
        };
        Err(format!("line {}: {what} where it is not understood", self.line()))
    }

    fn peek(&self) -> Option<&Token> {
        self.words.get(self.at).map(|word| &word.token)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn mark(&mut self, mark: &'static str) -> bool {
        self.eat(&Token::Mark(mark))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, token: &Token) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { self.unexpected() }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected(),
        }
    }

    /// `name` or `name.name`
    fn dotted(&mut self) -> Result<String, String> {
        let mut name = self.name()?;
        while self.mark(".") {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth == DEEPEST {
            return Err(format!("line {}: too deep", self.line()));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn function(&mut self) -> Result<Function, String> {
        let name = self.name()?;
        self.need(&Token::Mark("("))?;
        let parameter = self.name()?;
        if self.mark(":") {
            self.dotted()?;
        }
        self.need(&Token::Mark(")"))?;
        if self.mark("->") {
            self.expression()?;
        }
        Ok(Function { name, parameter, body: self.block()? })
    }

    fn block(&mut self) -> Result<Vec<Statement>, String> {
        self.need(&Token::Mark(":"))?;
        self.deeper(|parser| {
            if !parser.eat(&Token::End) {
                return Ok(vec![parser.statement()?]);
            }
            parser.need(&Token::Indent)?;
            let mut body = Vec::new();
            while !parser.eat(&Token::Dedent) {
                body.push(parser.statement()?);
            }
            Ok(body)
        })
    }

    fn statement(&mut self) -> Result<Statement, String> {
        let line = self.line();
        let kind = if self.word("if") {
            return Ok(Statement { line, kind: self.condition()? });
        } else if self.word("return") {
            StatementKind::Return(self.expression()?)
        } else if self.word("import") {
            let module = self.dotted()?;
            let name = if self.word("as") { self.name()? } else { module.clone() };
            StatementKind::Import { module, name }
        } else if self.word("pass") {
            StatementKind::Nothing
        } else {
            let target = self.expression()?;
            if self.mark("=") {
                StatementKind::Assign(target, self.expression()?)
            } else if matches!(target, Expression::Literal(Value::String(_))) {
                StatementKind::Nothing
            } else {
                return self.unexpected();
            }
        };
        self.need(&Token::End)?;
        Ok(Statement { line, kind })
    }

    fn condition(&mut self) -> Result<StatementKind, String> {
        let test = self.expression()?;
        let then = self.block()?;
        let line = self.line();
        let other = if self.word("else") {
            self.block()?
        } else if self.word("elif") {
            vec![Statement { line, kind: self.deeper(Self::condition)? }]
        } else {
            Vec::new()
        };
        Ok(StatementKind::If { test, then, other })
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.deeper(|parser| {
            let left = parser.sum()?;
            let operator = if parser.word("is") {
                if parser.word("not") { "is not" } else { "is" }
            } else if parser.word("in") {
                "in"
            } else if parser.word("not") {
                if !parser.word("in") {
                    return parser.unexpected();
                }
                "not in"
            } else {
                return Ok(left);
            };
            Ok(Expression::Binary(operator, Box::new(left), Box::new(parser.sum()?)))
        })
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while self.mark("+") {
            left = Expression::Binary("+", Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.signed()?;
        while self.mark("*") {
            left = Expression::Binary("*", Box::new(left), Box::new(self.signed()?));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, String> {
        if !self.mark("-") {
            return self.postfix();
        }
        match self.postfix()? {
            Expression::Literal(Value::Number(number)) => number_of(&format!("-{number}")).map_or_else(|| self.unexpected(), Ok),
            _ => self.unexpected(),
        }
    }

    fn postfix(&mut self) -> Result<Expression, String> {
        let mut value = self.atom()?;
        loop {
            if self.mark(".") {
                value = Expression::Attribute(Box::new(value), self.name()?);
            } else if self.mark("[") {
                let index = self.expression()?;
                self.need(&Token::Mark("]"))?;
                value = Expression::Index(Box::new(value), Box::new(index));
            } else if self.mark("(") {
                let (mut arguments, mut named) = (Vec::new(), Vec::new());
                while !self.mark(")") {
                    let argument = self.expression()?;
                    match argument {
                        Expression::Name(name) if self.mark("=") => named.push((name, self.expression()?)),
                        other => arguments.push(other),
                    }
                    if !self.mark(",") {
                        self.need(&Token::Mark(")"))?;
                        break;
                    }
                }
                value = Expression::Call { callee: Box::new(value), arguments, named };
            } else {
                return Ok(value);
            }
        }
    }

    fn atom(&mut self) -> Result<Expression, String> {
        let Some(token) = self.peek().cloned() else { return self.unexpected() };
        self.at += 1;
        match token {
            Token::Name(name) => Ok(match name.as_str() {
                "None" => Expression::Literal(Value::Null),
                "True" => Expression::Literal(true.into()),
                "False" => Expression::Literal(false.into()),
                "lambda" | "not" | "for" | "while" | "yield" | "await" | "from" | "del" | "global" | "class" | "with" | "try" => {
                    self.at -= 1;
                    return self.unexpected();
                }
                _ => Expression::Name(name),
            }),
            Token::Text(mut text) => {
                while let Some(Token::Text(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Ok(Expression::Literal(text.into()))
            }
            Token::Number(text) => match number_of(&text) {
                Some(number) => Ok(number),
                None => Err(format!("line {}: the number `{text}`", self.line())),
            },
            Token::Mark("(") => {
                let inner = self.expression()?;
                self.need(&Token::Mark(")"))?;
                Ok(inner)
            }
            Token::Mark("[") => {
                let mut items = Vec::new();
                while !self.mark("]") {
                    items.push(self.expression()?);
                    if !self.mark(",") {
                        self.need(&Token::Mark("]"))?;
                        break;
                    }
                }
                Ok(Expression::List(items))
            }
            Token::Mark("{") => {
                let mut entries = Vec::new();
                while !self.mark("}") {
                    let key = self.expression()?;
                    self.need(&Token::Mark(":"))?;
                    entries.push((key, self.expression()?));
                    if !self.mark(",") {
                        self.need(&Token::Mark("}"))?;
                        break;
                    }
                }
                Ok(Expression::Dict(entries))
            }
            Token::Mark(_) | Token::End | Token::Indent | Token::Dedent => {
                self.at -= 1;
                self.unexpected()
            }
        }
    }
}

fn number_of(text: &str) -> Option<Expression> {
    let plain = text.replace('_', "");
    let number: Option<Value> = plain.parse::<i64>().map(Value::from).ok().or_else(|| {
        let float = plain.parse::<f64>().ok().filter(|value| value.is_finite())?;
        Some(Value::from(float))
    });
    number.map(Expression::Literal)
}
