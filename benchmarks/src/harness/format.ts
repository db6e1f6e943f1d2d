/** `38.7 M`, `340 k`, `4.6 k`: events per second. */
export function formatRate(perSecond: number): string {
  const millions = perSecond / 1e6;
  return millions >= 1 ? `${millions.toFixed(millions >= 10 ? 1 : 2)} M` : `${formatNumber(perSecond / 1e3)} k`;
}

/** `1.89` */
export function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio >= 10 ? 1 : 2);
}

/** `1,457`, `85.3`, `5.2`, `0.34`: at least three digits, without zeros at the end. */
export function formatNumber(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
