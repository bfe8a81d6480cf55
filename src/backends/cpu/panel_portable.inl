// What panels need of an instruction set (panel_tile.inl), for those that have no instruction for it.

constexpr int kPanelTile = 2;  // tokens
constexpr int kPartsOfMany = 1;
constexpr int kWideTile = 0;  // none
constexpr bool kTokenPairs = false, kShortRounds = true;
template <int kBits>
using Dot = DotByArithmetic;
inline vbytes lookup(vbytes codes, const uint8_t* table) {
  return lookup_by_index(codes, table);
}
inline void store_low_bytes(uint8_t* p, vi v) {
  store_low_bytes_by_index(p, v);
}
inline const PanelKernel* bf16_kernel() {
  return nullptr;
}
inline double peak_bf16(uint32_t, float*) {
  return 0;
}
