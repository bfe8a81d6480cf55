// y = x W^T over panels: the loop nest around the tiles, and what is done with the sums.

/// From the sums of a block of panels to y: bias, then residual; or the GLU. c: [m] rows, ldc apart.
inline void finish_panels(const PanelArgs& a, uint32_t panel, uint32_t n, const float* c, size_t ldc) {
  const uint32_t row0 = panel * kPanelRows;
  const uint32_t rows = a.rows - row0 < n * kPanelRows ? a.rows - row0 : n * kPanelRows;
  for (uint32_t t = 0; t < a.m; ++t, c += ldc) {
    float* y = a.y[t] + row0;
    if (a.up > 0) {
      glu(a.activation, c, c + size_t{n} * kPanelRows, rows, y);
      continue;
    }
    const float* bias = a.bias ? a.bias + row0 : nullptr;
    const float* residual = a.residual ? a.residual[t] + row0 : nullptr;
    for (uint32_t r = 0; r < rows; r += kLanes) {
      const uint32_t here = rows - r < kLanes ? rows - r : kLanes;
      vf v = load(c + r);  // c has whole panels
      if (bias) v = v + (here == kLanes ? load(bias + r) : load_part(bias + r, here));
      if (residual) v = v + (here == kLanes ? load(residual + r) : load_part(residual + r, here));
      here == kLanes ? store(y + r, v) : store_part(y + r, v, here);
    }
  }
}

/// One K-block of `n` panels from number `panel` of the weight on: all tiles over it, and for a tile the panels.
inline void multiply_panels(const PanelArgs& a, uint32_t panel, uint32_t n, uint32_t k0, float* c, size_t ldc) {
  const PanelKernel& kernel = *a.kernel;
  const uint32_t k = a.k - k0 < a.k_block ? a.k - k0 : a.k_block;
  const size_t panel_bytes = size_t{k / a.block} * a.block_bytes;
  const uint8_t* w = a.w + size_t{k0 / a.block} * a.panels * a.block_bytes + panel * panel_bytes;
  const TokenTiles tiles(a.m, kernel.max_tile);
  for (uint32_t i = 0; i < tiles.count; ++i) {
    const uint32_t t0 = tiles.start(i), tokens = tiles.size(i);
    const uint8_t* x = a.x + t0 * kernel.token_bytes(a.k) + tokens * kernel.token_bytes(k0);
    for (uint32_t p = 0; p < n; ++p) {
      kernel.tiles[tokens]({w + p * panel_bytes, x, k, k0 == 0, c + t0 * ldc + p * kPanelRows, ldc, a.ahead});
    }
  }
}

/// Columns [k0, k0 + k) of panels `p` and `q` of the weight: unpacked, then all tiles over them. `second`: floats from
/// the sums of p to those of q.
inline void multiply_wide(const PanelArgs& a, uint32_t p, uint32_t q, uint32_t k0, uint32_t k, float* c, size_t second,
                          size_t ldc) {
  alignas(64) uint8_t unpacked[kWideBytes];
  const PanelKernel& kernel = *a.kernel;
  const uint32_t from = k0 / a.k_block * a.k_block, here = a.k - from < a.k_block ? a.k - from : a.k_block;
  const size_t panel_bytes = size_t{here / a.block} * a.block_bytes;
  const uint8_t* w = a.w + (size_t{from / a.block} * a.panels + (k0 - from) / a.block) * a.block_bytes;
  const auto to_next = static_cast<uint32_t>(panel_bytes) * (a.up > 0 ? 1 : 2);  // pair
  kernel.wide.unpack(w + p * panel_bytes, w + q * panel_bytes, k, to_next, unpacked);
  const TokenTiles tiles(a.m, kernel.wide.tile);
  const auto x_of = [&](uint32_t i) {
    return a.x + tiles.start(i) * kernel.token_bytes(a.k) + tiles.size(i) * kernel.token_bytes(k0);
  };
  for (uint32_t i = 0; i < tiles.count; ++i) {
    const uint8_t* next = x_of(i + 1 < tiles.count ? i + 1 : 0);
    kernel.wide.tiles[tiles.size(i)]({unpacked, x_of(i), k, k0 == 0, c + tiles.start(i) * ldc, ldc, 0, second, next});
  }
}

/// Pairs of neighbours, or of gate and up. The last one of an odd number goes with itself, into columns of c that are
/// not used. That all tokens pass over a pair before the next costs nothing: blocks of 128 to 256 tokens were no faster
/// (Emerald Rapids, 512 tokens).
inline void linear_wide(const PanelArgs& a) {
  const uint32_t most = panels_at_once(a.m), step = a.up > 0 ? 1 : 2, columns = a.kernel->wide.columns;
  for (uint32_t begin = a.begin; begin < a.end; begin += most) {
    const uint32_t n = a.end - begin < most ? a.end - begin : most;
    const size_t second = size_t{a.up > 0 ? n : 1} * kPanelRows;
    const size_t ldc = size_t{n + 1} / 2 * 2 * kPanelRows * (a.up > 0 ? 2 : 1);
    for (uint32_t k0 = 0; k0 < a.k; k0 += columns) {
      const uint32_t k = a.k - k0 < columns ? a.k - k0 : columns;
      for (uint32_t i = 0; i < n; i += step) {
        const uint32_t p = a.first + begin + i;
        const uint32_t q = a.up > 0 ? p + a.up : i + 1 < n ? p + 1 : p;
        multiply_wide(a, p, q, k0, k, a.scratch + i * kPanelRows, second, ldc);
      }
    }
    finish_panels(a, begin, n, a.scratch, ldc);
  }
}

/// Sums stay in the worker's scratch until they are complete: rows of y may lie 2^n bytes apart, and the lines of a
/// panel's columns would fall into a few sets of the cache.
void linear_panels(const PanelArgs& a) {
  if (kWideTile > 0 && a.kernel->is_wide(a.m)) return linear_wide(a);
  constexpr uint32_t kCached = 4;  // panels of a K-block that stay in L2 while all tiles pass over them
  const uint32_t most = panels_at_once(a.m);
  // One tile takes all: gate and up in turns of four panels were 5 to 15% slower (Zen 5, one token).
  const uint32_t run = a.m <= a.kernel->max_tile ? most : kCached;
  for (uint32_t begin = a.begin; begin < a.end; begin += most) {
    const uint32_t n = a.end - begin < most ? a.end - begin : most;
    const size_t ldc = size_t{n} * kPanelRows * (a.up > 0 ? 2 : 1);
    for (uint32_t k0 = 0; k0 < a.k; k0 += a.k_block) {
      for (uint32_t p = 0; p < n; p += run) {
        const uint32_t here = n - p < run ? n - p : run;
        float* c = a.scratch + p * kPanelRows;
        multiply_panels(a, a.first + begin + p, here, k0, c, ldc);
        if (a.up > 0) multiply_panels(a, a.first + a.up + begin + p, here, k0, c + n * kPanelRows, ldc);
      }
    }
    finish_panels(a, begin, n, a.scratch, ldc);
  }
}
