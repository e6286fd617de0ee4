"""What the programs of others work on: made here, the same at every run.

`make(directory, scale)` writes the files into `directory`; `scale` 1 is the full
size, 0.1 the quick one. Random choices come from one seeded generator.
"""

import json
import random
import subprocess

PYTHON = """
class Node:
    def __init__(self, i): self.key, self.next = str(i), [i, {i: i + 1}]
nodes = {}
for i in range(%d):
    nodes[i %% 20000] = Node(i)
print(len(nodes), sum(len(n.key) for n in nodes.values()))
"""

PERL = """
my (%%words, @lines);
for my $i (1 .. %d) {
  my @fields = split / /, join ' ', map { ($i * $_) %% 9973 } 1 .. 6;
  $words{$fields[1]}{$fields[2]}++;
  push @lines, [$i, "@fields[3, 4]"] if $i %% 4 == 0;
}
my @sorted = sort { $a->[1] cmp $b->[1] } @lines;
print scalar(keys %%words), ' ', scalar(@sorted), "\\n";
"""

CPLUSPLUS = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>
template <int kN> struct Sum { static constexpr int value = kN + Sum<kN - 1>::value; };
template <> struct Sum<0> { static constexpr int value = 0; };
int main() {
  std::map<std::string, std::vector<std::function<int(int)>>> table;
  table["sum"].push_back([](int n) { return n + Sum<%d>::value; });
  for (auto& [name, functions] : table) std::cout << name << functions[0](1) << '\\n';
}
"""

SQL = """
CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER, name TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO item SELECT i, i * 7919 % 1000, 'name ' || (i * 31 % 5000), i * 1.5 FROM n;
CREATE INDEX item_name ON item(name);
SELECT owner, count(*), group_concat(name) FROM item GROUP BY owner ORDER BY 2 DESC;
SELECT a.name, b.value FROM item a JOIN item b ON a.name = b.name AND a.id < b.id
  WHERE a.owner < 20 ORDER BY b.value LIMIT 1000;
"""


def make(directory, scale):
    rows = [{"id": i, "name": f"name {i * 7919 % 1000}", "tags": ["a", str(i)],
             "value": i * 1.25} for i in range(int(40_000 * scale))]
    (directory / "in.json").write_text(json.dumps({"rows": rows}))
    items = "".join(f"<item id='{i}'><name>n{i}</name><p a='b'>text {i}</p></item>\n"
                    for i in range(int(150_000 * scale)))
    (directory / "in.xml").write_text(f"<?xml version='1.0'?>\n<list>{items}</list>\n")
    (directory / "in.py").write_text(PYTHON % int(200_000 * scale))
    (directory / "in.pl").write_text(PERL % int(120_000 * scale))
    (directory / "in.cc").write_text(CPLUSPLUS % int(500 * scale))
    single = "".join(f"INSERT INTO item VALUES({10_000_000 + i}, {i % 1000}, 'single {i}', "
                     f"{i}.5);\n" for i in range(int(40_000 * scale)))
    create, _, select = SQL.format(rows=int(120_000 * scale)).partition("CREATE INDEX")
    (directory / "in.sql").write_text(
        f"{create}BEGIN;\n{single}COMMIT;\nCREATE INDEX{select}")


def make_history(directory, scale):
    """A git repository of some hundred commits, packed, through fast-import."""
    choice = random.Random(3)
    files = {f"room{i % 7}/file{i}.txt": [f"line {i} {n}" for n in range(60)]
             for i in range(40)}
    stream = []
    for commit in range(int(700 * scale)):
        message = f"Change {commit}\n\nWhy it was made.\n"
        stream.append(f"commit refs/heads/main\n"
                      f"committer Someone <someone@example.org> {1_600_000_000 + commit} +0000\n"
                      f"data {len(message)}\n{message}")
        for name in choice.sample(sorted(files), 4):
            lines = files[name]
            for _ in range(3):
                lines[choice.randrange(len(lines))] = f"changed {choice.randrange(10**6)}"
            text = "\n".join(lines) + "\n"
            stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n")
    repository = directory / "repository"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "LC_ALL": "C",
                   "GIT_CONFIG_NOSYSTEM": "1"}
    for argv, text in ((["git", "init", "-q", "-b", "main", repository], ""),
                       (["git", "-C", repository, "fast-import", "--quiet"],
                        "".join(stream))):
        subprocess.run(argv, input=text, text=True, check=True, env=environment,
                       stdout=subprocess.DEVNULL)
