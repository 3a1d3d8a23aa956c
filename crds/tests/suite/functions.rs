//! Computed columns: the forms of ours, the Python whose meaning is known, and what is refused.

use crds::config::{Expression, Function, Source, validate};
use serde_json::{Value, json};

use crate::config_rules::{findings, valid};
use crate::{config, set};

/// The config with `buoy` computed by a function.
fn computed(function: &Value) -> Value {
    let mut config = config();
    set(&mut config, "/schema_transformation/add_variables/buoy/source", json!("@function:f"));
    set(&mut config, "/schema_transformation/functions", json!({"f": function}));
    config
}

fn meaning(function: &Value) -> Function {
    let config = valid(&computed(function)).supported().unwrap().config;
    let Source::Function(function) = config.add_variables[1].source.clone() else { panic!("no function") };
    function
}

fn refusal(function: &Value) -> (String, String) {
    findings(&computed(function)).into_iter().next().unwrap()
}

fn of_key(code: &str) -> Value {
    json!({"extract_method": "object_key", "method": {"key_pattern": "x", "extraction_code": code}})
}

fn of_table(code: &str) -> Value {
    json!({"extract_method": "from_variables", "method": {"creation_code": code}})
}

fn datetime(date: &str, time: Option<&str>) -> Function {
    Function::DateTime { date: date.to_owned(), time: time.map(str::to_owned) }
}

#[test]
fn our_own_forms_are_typed() {
    let cel = |text: &str, columns: &[&str]| {
        Function::Cel(Expression { text: text.to_owned(), columns: columns.iter().map(ToString::to_string).collect() })
    };
    let table = [
        (json!({"extract_method": "path_segment", "method": {"index": -4}}), Function::PathSegment { index: -4 }),
        (json!({"extract_method": "constant", "method": {"value": 1}}), Function::Constant(json!(1))),
        (json!({"extract_method": "constant", "method": {"value": "QC"}}), Function::Constant(json!("QC"))),
        (json!({"extract_method": "datetime", "method": {"date": "day", "time": "hour"}}), datetime("day", Some("hour"))),
        (json!({"extract_method": "datetime", "method": {"date": "day"}}), datetime("day", None)),
        (json!({"extract_method": "cel", "method": {"expression": "TEMP - 273.15"}}), cel("TEMP - 273.15", &["TEMP"])),
        (
            json!({"extract_method": "cel", "method": {"expression": "b > 0.0 && ['x', a].exists(v, v == key) ? global.id : filename"}}),
            cel("b > 0.0 && ['x', a].exists(v, v == key) ? global.id : filename", &["a", "b"]),
        ),
    ];
    for (function, expected) in table {
        assert_eq!(meaning(&function), expected, "{function}");
    }
}

#[test]
fn python_of_a_known_meaning_is_recognised_however_it_looks() {
    let segment = |index| Function::PathSegment { index };
    let table = [
        (
            of_key("def extract_info_from_key(key):\n  pieces = key.split(\"/\")\n  return {'other': pieces[-2], 'buoy': pieces[-4]}\n"),
            segment(-4),
        ),
        (
            of_key(
                "# where\n\ndef extract_info_from_key(k: str) -> dict:\n\t'''Folder.'''\n\treturn {\n\t\t\"buoy\": k.split('/')[-1],  # last\n\t}",
            ),
            segment(-1),
        ),
        (of_key("def extract_info_from_key(key):\n    info = {'buoy': key.split('/')[0]}\n    return info"), segment(0)),
        (of_table("def level(df): return 1"), Function::Constant(json!(1))),
        (
            of_table("import pandas as pd\ndef level(df):\n    n = len(df)\n    return pd.Series([-1.5] * n, index=df.index)"),
            Function::Constant(json!(-1.5)),
        ),
        (of_table("import numpy\ndef level(t):\n    return numpy.full(len(t), 'raw')"), Function::Constant(json!("raw"))),
        (of_table("import pandas\ndef level(t):\n    return pandas.Series('raw', index=t.index)"), Function::Constant(json!("raw"))),
        (
            of_table(
                concat!("import pandas as p\n", "def when(table):\n", "    day, = None\n",)
                    .replace(
                        "    day, = None\n",
                        concat!(
                            "    day = table['day']\n",
                            "    clock = table.get(\"clock\")\n",
                            "    if clock is not None:\n",
                            "        clock = clock.fillna('00:00:00')\n",
                            "    else:\n",
                            "        clock = p.Series(['00:00:00'] * len(table), index=table.index)\n",
                            "    when = p.to_datetime(day.astype(str) + ' ' + clock.astype('str'),\n",
                            "                         format='%Y-%m-%d %H:%M:%S', errors='coerce')\n",
                            "    none = when.isnull()\n",
                            "    when[none] = p.to_datetime(day[none], errors='coerce')\n",
                            "    return when\n",
                        ),
                    )
                    .as_str(),
            ),
            datetime("day", Some("clock")),
        ),
        (
            of_table(concat!(
                "def f(df):\n",
                "    import pandas as pd\n",
                "    out = pd.to_datetime(df.get('day').astype(str) + ' 00:00:00', errors='coerce', format='%Y-%m-%d %H:%M:%S')\n",
                "    if out.isna().any():\n",
                "        out.loc[out.isna()] = pd.to_datetime(df.get('day')[out.isna()], errors='coerce')\n",
                "    return out\n",
            )),
            datetime("day", None),
        ),
    ];
    for (function, expected) in table {
        assert_eq!(meaning(&function), expected, "{function:#}");
    }
}

#[test]
fn python_of_another_meaning_is_refused_and_says_what_to_write() {
    let strict = "errors='coerce', format='%Y-%m-%d %H:%M:%S'";
    let table = [
        (of_key("def extract_info_from_key(key):\n    import os\n    return {'buoy': os.path.basename(key)}"), "line 2: module `os`"),
        (of_key("def extract_info_from_key(key):\n    return {'buoy': key.split('_')[-4]}"), "`.split(…)`"),
        (of_key("def extract_info_from_key(key):\n    return {'buoy': key.split('/')[-4].upper()}"), "`.upper(…)`"),
        (of_key("def extract_info_from_key(key):\n    return {'buoys': key.split('/')[-4]}"), "nothing called `buoy`"),
        (of_key("def extract(key):\n    return {'buoy': key.split('/')[-4]}"), "defines no such function"),
        (of_key("__import__('os').system('rm -rf /')"), "line 1"),
        (of_key("def extract_info_from_key(key):\n    for x in key:\n        pass"), "line 2: `for`"),
        (of_key("def extract_info_from_key(key):\n    return {'buoy': f'{key}'}"), "the prefix `f`"),
        (of_table("def f(df):\n    return df['TEMP'] * 2"), "line 2: this `*`"),
        (of_table("def f(df):\n    df['x'] = 1\n    return df['x']"), "this assignment"),
        (of_table("def f(df):\n    return df['TEMP']"), "none of the known forms"),
        (of_table("def f(df):\n    x = 1"), "returns nothing"),
        (of_table("def f(df):\nreturn 1"), "line 2"),
        (of_table("def f(df):\n    return 'a"), "a text without an end"),
        (
            of_table(&format!(
                "import pandas as pd\ndef f(df):\n    return pd.to_datetime(df['d'].astype(str) + ' ' + df['t'].astype(str), {strict})"
            )),
            "what is parsed as date and time",
        ),
        (
            of_table(&format!("import pandas as pd\ndef f(df):\n    return pd.to_datetime(df['d'].astype(str) + ' 00:00:00', {strict})")),
            "do not fall back to the date alone",
        ),
        (
            of_table(&format!(
                "import pandas as pd\ndef f(df):\n    r = pd.to_datetime(df['d'].astype(str) + ' 00:00:00', {strict})\n    g = r.isna()\n    r[g] = pd.to_datetime(df['e'][g], errors='coerce')\n    return r"
            )),
            "a fallback to another column",
        ),
        (of_table(&format!("def f(df):\n    x = 'a'\n{}    return x", "    x = x + x\n".repeat(200))), "what this `+` joins"),
        (of_table(&format!("def f(df):\n    return {}1{}", "(".repeat(500), ")".repeat(500))), "too deep"),
        (of_table(&"# \n".repeat(5_000)), "longer than"),
    ];
    for (function, words) in table {
        let (path, message) = refusal(&function);
        assert!(path.starts_with("schema_transformation.functions.f.method."), "{path}");
        assert!(message.contains(words), "{function:#}: {message}");
        assert!(
            message.starts_with("Python is never run") && message.contains("`extract_method: path_segment` {\"index\": -4}"),
            "{message}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_function_is_said_where_it_stands() {
    let table = [
        (json!("x"), "", "text stands here"),
        (json!({"method": {}}), ".extract_method", "missing; write one of `extract_method: path_segment`"),
        (json!({"extract_method": "lambda", "method": {}}), ".extract_method", "`lambda` is not a way to compute a column"),
        (json!({"extract_method": "cel"}), ".method", "missing"),
        (json!({"extract_method": "path_segment", "method": {"index": "-4"}}), ".method.index", "write a whole number"),
        (json!({"extract_method": "path_segment", "method": {}}), ".method.index", "missing"),
        (json!({"extract_method": "constant", "method": {"value": [1]}}), ".method.value", "a list stands here"),
        (json!({"extract_method": "datetime", "method": {"time": "hour"}}), ".method.date", "missing"),
        (json!({"extract_method": "cel", "method": {"expression": "TEMP +"}}), ".method.expression", "not a CEL expression, line 1 column"),
        (json!({"extract_method": "cel", "method": {"expression": "TEMP ++ 1"}}), ".method.expression", "not a CEL expression"),
        (json!({"extract_method": "cel", "method": {"expression": "open('x')"}}), ".method.expression", "`open` is not a function here"),
        (json!({"extract_method": "cel", "method": {"expression": "[1].map(x, [2].map(y, x))"}}), ".method.expression", "inside another"),
        (json!({"extract_method": "cel", "method": {"expression": "x".repeat(1_001)}}), ".method.expression", "1001 bytes"),
    ];
    for (function, place, words) in table {
        let (path, message) = refusal(&function);
        assert_eq!(path, format!("schema_transformation.functions.f{place}"), "{function}: {message}");
        assert!(message.contains(words), "{function}: {message}");
    }
}

/// None of these may take the process down: they parse, or they are refused.
#[test]
fn a_hostile_expression_costs_a_finding() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(490 / open.len()), close.repeat(490 / open.len()));
    let long = |part: &str| part.repeat(999 / part.len()) + "1";
    let hostile = [
        deep("(", ")"),
        deep("[", "]"),
        deep("size([", "])"),
        deep("{1:", "}"),
        long("1+"),
        long("1<"),
        long("!"),
        long("-"),
        long("- "),
        long("a&&"),
        long("a||"),
        long("a?1:"),
        long("a."),
        long("a["),
        "a".to_owned() + &"[0]".repeat(300),
        "a".to_owned() + &".b()".repeat(200),
    ];
    for text in hostile {
        let function = json!({"extract_method": "cel", "method": {"expression": text}});
        let shown: String = text.chars().take(20).collect();
        let begun = std::time::Instant::now();
        let result = validate(&computed(&function));
        println!("{shown}: {:?} {}", begun.elapsed(), result.map_or_else(|error| error.to_string(), |_| "taken".to_owned()));
        assert!(begun.elapsed().as_secs() < 5, "{shown}");
    }
}

#[test]
fn unused_functions_and_unknown_keys_are_named() {
    let mut config = computed(&json!({"extract_method": "constant", "method": {"value": 1, "values": 2}, "note": 3}));
    set(&mut config, "/schema_transformation/functions/spare", json!({"extract_method": "from_variables"}));
    let validated = valid(&config);
    assert_eq!(validated.unknown_keys, ["schema_transformation.functions.f.note", "schema_transformation.functions.f.method.values"]);
    assert!(validated.warnings.iter().any(|warning| warning.path == "schema_transformation.functions.spare"));
}
