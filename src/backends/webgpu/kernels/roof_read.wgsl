// What the memory gives at most: nothing but reads, each of 16 bytes, neighbours by neighbours.
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  var sum = vec4<u32>();
  for (var i = id.x; i < VECTORS; i += n.x * 256u) { sum += data[i]; }
  if (sum.x + sum.y + sum.z + sum.w == 1u) { sums[id.x % SUMS] = 1u; }
}
