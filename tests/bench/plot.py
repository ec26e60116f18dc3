"""Draws a result as a picture: wall time of each tool, gzip and zstd, with the floor. tests/bench/plot.py RESULT.json OUT.png"""
import json
import subprocess
import sys

COLOURS = {"gzip": "#4477aa", "zstd": "#66ccee"}


def script(result, out):
    tools = {}
    for run in result["runs"]:
        if not run["tls"] and run["tool"] != "plinth-noverify":  # nobody should run that one
            tools.setdefault(run["tool"], {})[run["compression"]] = run["median"]["wall"]
    first = result["images"][0]
    rows = [f'"{name.replace("+", " + ")}" {by.get("gzip", "NaN")} {by.get("zstd", "NaN")}' for name, by in tools.items()]
    floors = [f'"floor" {" ".join(str(result["floor"][c]["floor"]) for c in COLOURS)}'] if len(result["floor"]) == 2 else []
    machine = result["machine"]
    return "\n".join([
        "set terminal pngcairo size 820,400 noenhanced font 'DejaVu Sans,10'", f"set output '{out}'",
        f'set title "pull, check and unpack: {len(first["layers"])} layers, {first["unpacked"] / 1e6:.0f} MB unpacked; '
        f'{machine["cores"]} cores; median of {result["rounds"]} runs"',
        "set style data histogram", "set style histogram clustered gap 1", "set style fill solid noborder", "set boxwidth 0.9",
        "set grid ytics lc rgb '#dddddd'", "set ylabel 'seconds, lower is better'", "set yrange [0:*]", "set key top left", "set border 3",
        "set tics nomirror", "$runs << END", *rows, *floors, "END",
        *(f"{'plot' if i == 0 else '  '} $runs using {i + 2}:xtic(1) lc rgb '{COLOURS[c]}' title '{c}', "
          f"$runs using ($0{(-0.17, 0.17)[i]:+}):{i + 2}:(sprintf('%.2f', ${i + 2})) with labels offset 0,0.6 notitle"
          + (", \\" if i == 0 else "") for i, c in enumerate(COLOURS)), ""])


def draw(result, out):
    subprocess.run(["gnuplot"], input=script(result, out).encode(), check=True)


if __name__ == "__main__":
    with open(sys.argv[1]) as f:
        draw(json.load(f), sys.argv[2])
