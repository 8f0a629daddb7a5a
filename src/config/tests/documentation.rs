//! `docs/configuration.md` is made from the rows. This test fails when it is stale; run it with `UPDATE_DOCS=1` to
//! write it anew.
use std::fmt::Write;
use std::{env, fs};

use crate::config::row::{Effect, Row};
use crate::config::rows;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from src/config/rows: change the rows, then run `UPDATE_DOCS=1 cargo test --lib the_configuration_page`. -->

Settings come from a configuration file in the syntax of `redis.conf`, from standard input, and from the command
line; what is read later wins:

```
starling-server                                    # defaults
starling-server /etc/starling.conf --port 7000     # a file, then directives
echo 'port 7000' | starling-server -               # standard input
```

- One directive on a line, `#` starts a comment line, names do not care about case.
- `include FILE` reads another file in its place; the name may be a pattern (`conf.d/*.conf`).
- Words with blanks stand in quotes: `'...'` as it is (`\\'` is a quote), `\"...\"` with `\\n`, `\\r`, `\\t`, `\\b`, `\\a`,
  `\\\\`, `\\\"` and `\\xHH` for any byte.
- Sizes take units: `1k` is 1000 bytes, `1kb` is 1024; so `m`, `mb`, `g` and `gb`.
- `save` and `client-output-buffer-limit` may stand on several lines, which add up.

`CONFIG GET` shows settings, `CONFIG SET` changes those marked *live*, and `CONFIG REWRITE` writes what was changed
back into the file. Those marked *start* are read once. *Protected* ones can be changed only with
`enable-protected-configs`.
";

/// The page as the rows want it.
fn page() -> String {
    let mut page = INTRODUCTION.to_string();
    for (topic, rows) in rows::TOPICS {
        write!(page, "\n## {topic}\n\n").expect("a string takes everything");
        page += "| Directive | Default | Takes | Change | What it does |\n|---|---|---|---|---|\n";
        for row in *rows {
            page += &entry(row);
        }
    }
    page
}

fn entry(row: &Row) -> String {
    let mut names = format!("`{}`", row.name);
    for alias in row.aliases {
        write!(names, "<br>(`{alias}`)").expect("a string takes everything");
    }
    let default = match row.default {
        "" => "\"\"",
        default => default,
    };
    let change = match (row.effect, row.immutable, row.protected) {
        (Effect::None, ..) => "no effect",
        (_, true, _) => "start",
        (_, false, true) => "live, protected",
        (_, false, false) => "live",
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    format!("| {names} | `{}` | {} | {change} | {} |\n", cell(default), cell(&row.allowed()), cell(row.doc))
}

#[test]
fn the_configuration_page_shows_every_row_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let expected = page();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &expected).expect("docs/ can be written");
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "docs/configuration.md is stale: run this test with UPDATE_DOCS=1");
}

#[test]
fn the_page_of_differences_names_every_directive_without_effect() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/differences.md");
    let page = fs::read_to_string(path).expect("the page is part of the sources");
    for row in rows::all().filter(|row| row.effect == Effect::None) {
        assert!(page.contains(&format!("`{}`", row.name)), "{} is missing", row.name);
    }
}
