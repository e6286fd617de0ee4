#!/usr/bin/python3
"""Distributions and fits of the engine against scipy and statsmodels.

Usage: oracle_test.py PROBE
PROBE prints numbers (tests/analyzer/fit/probe.cc); every one is computed here again.
"""

import math
import subprocess
import sys

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats

EXACT = 1e-8      # closed forms, relative
SEARCHED = 2e-3   # exponents found by a search, absolute
checked = {}
errors = []


def compare(line, name, got, want, tolerance=EXACT, absolute=0.0):
    checked[name] = checked.get(name, 0) + 1
    if not abs(got - want) <= max(absolute, tolerance * abs(want)):
        errors.append(f'{line}: got {got!r}, scipy says {want!r}')


def points(k):
    i = np.arange(5 + k % 4)
    n = np.round(10 * 2.7 ** i)
    y = (5000 if k < 6 else 0) + 3 * n ** 1.3 * (1 + 0.03 * np.sin(7 * i + k))
    return n, y


def check_line(line, name, k, values):
    n, y = points(k)
    x, z, w = n, y, np.ones_like(n)
    if name == 'wls':
        w = 1 / y ** 2
    elif name == 'loglog':
        x, z = np.log(n), np.log(y)
    fit = sm.WLS(z, sm.add_constant(x), weights=w).fit()
    want = [fit.params[0], fit.params[1], *fit.conf_int()[1], fit.rsquared,
            fit.pvalues[1], fit.ssr]
    for got, expected in zip(values, want, strict=True):
        compare(line, name, got, expected, 1e-6, 1e-12 * abs(want[1]))


def best_log_fit(n, y, law, start):
    """Least squares in ln y by another algorithm than ours."""
    def residuals(p):
        f = law(p)
        if np.any(f <= 0):
            return np.full_like(y, 1e3)
        return np.log(y) - np.log(f)
    fits = [optimize.least_squares(residuals, s, x_scale=np.maximum(np.abs(s), 1e-6),
                                   xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=5000)
            for s in start]
    return min(fits, key=lambda f: f.cost)


def check(line):
    name, *rest = line.split()
    v = [float(x) for x in rest]
    if name == 't_cdf':
        compare(line, name, v[2], stats.t.cdf(v[0], v[1]))
    elif name == 't_ppf':
        compare(line, name, v[2], stats.t.ppf(v[0], v[1]), absolute=1e-12)
    elif name == 'f_sf':
        compare(line, name, v[3], stats.f.sf(v[0], v[1], v[2]))
    elif name == 'f_ppf':
        compare(line, name, v[3], stats.f.ppf(v[0], v[1], v[2]))
    elif name == 'norm_ppf':
        compare(line, name, v[1], stats.norm.ppf(v[0]), absolute=1e-12)
    elif name in ('ols', 'wls', 'loglog'):
        check_line(line, name, int(v[0]), v[1:])
    elif name == 'ols_pi':
        n, y = points(int(v[0]))
        fit = sm.OLS(y, sm.add_constant(n)).fit()
        frame = fit.get_prediction([[1, 2 * n[-1]]]).summary_frame(alpha=0.05)
        compare(line, name, v[1], frame['obs_ci_lower'][0], 1e-6)
        compare(line, name, v[2], frame['obs_ci_upper'][0], 1e-6)
    elif name == 'aicc':
        n, y = points(int(v[0]))
        fit = sm.OLS(np.log(y), sm.add_constant(np.log(n))).fit()
        # statsmodels counts no sigma and keeps the constant of the likelihood.
        size, k = len(n), 3
        aic = fit.aic + 2 - size * (math.log(2 * math.pi) + 1)
        compare(line, name, v[1], aic + 2 * k * (k + 1) / (size - k - 1), 1e-9)
    elif name == 'log_line':
        n, y = points(int(v[0]))
        low = -0.1 * y.min()
        fit = best_log_fit(n, y, lambda p: p[0] + p[1] * n,
                           [(y[0] / 2, y[-1] / n[-1]), (0.0, y[0] / n[0])])
        if fit.x[0] >= low:
            compare(line, name, v[3], 2 * fit.cost, 1e-4)
            compare(line, name, v[2], fit.x[1], 2e-3)
        else:  # the bound holds
            compare(line, name, v[1], low, 1e-9)
    elif name == 'log_power':
        n, y = points(int(v[0]))
        compare(line, name, v[1], np.polyfit(np.log(n), np.log(y), 1)[0], 1e-9)
    elif name == 'log_offset':
        n, y = points(int(v[0]))
        fit = best_log_fit(n, y, lambda p: p[0] + p[1] * n ** p[2],
                           [(a, y[-1] / n[-1] ** c, c)
                            for a in (0.0, y[0] / 2, y[0] * 0.95) for c in (1, 1.3, 1.6)])
        if fit.x[0] >= -0.1 * y.min():
            compare(line, name, v[2], 2 * fit.cost, 1e-3, 1e-8)
            compare(line, name, v[1], fit.x[2], 0, SEARCHED)
    else:
        errors.append(f'{line}: unknown')


def main():
    output = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True, text=True)
    for line in output.stdout.splitlines():
        check(line)
    print(', '.join(f'{name} {count}' for name, count in sorted(checked.items())))
    needed = {'t_cdf', 't_ppf', 'f_sf', 'f_ppf', 'norm_ppf', 'ols', 'wls', 'loglog',
              'ols_pi', 'aicc', 'log_line', 'log_power', 'log_offset'}
    for name in needed - set(checked):
        errors.append(f'{name}: never compared')
    for error in errors[:20]:
        print('error:', error)
    return 1 if errors else 0


sys.exit(main())
