// Numbers as numbers.py writes them: three significant digits, powers of ten only from a million on and below a millionth,
// and a minus sign that is none of the hyphens.
function numeral(value) {
  if (Number.isNaN(value)) return "nan";
  const [sign, size] = [value < 0 ? "−" : "", Math.abs(value)];
  if (!Number.isFinite(size)) return `${sign}inf`;
  const rounded = Number(size.toPrecision(3));
  if (rounded && (rounded < 1e-6 || rounded >= 1e6)) return sign + rounded.toExponential(2).replace(/\.?0*e\+?/, "e");
  return sign + rounded.toLocaleString("en-US", { maximumFractionDigits: 20, maximumSignificantDigits: 3 });
}
