// What the arithmetic gives at most: nothing but multiply-adds of f32, LOOPS * 16 a thread, from registers.
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let seed = f32(sums[id.x % SUMS]);
$for i 16
  var a$i$ = seed + $i$.0;
$end
  for (var k = 0u; k < LOOPS; k++) {
    let w = f32(k) * 1e-3;
$for i 16
    a$i$ = fma(a$i$, w, w);
$end
  }
  var sum = 0.0;
$for i 16
  sum += a$i$;
$end
  if (sum == 12345.0) { sums[id.x % SUMS] = 1u; }
}
