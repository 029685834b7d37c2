// SPDX-License-Identifier: Apache-2.0
/* A small program of the standard library, for a compiler to be busy with and to throw a little. */
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

static int descend(int depth, const std::map<int, std::string> &words)
{
	if (!depth)
		throw std::runtime_error(words.rbegin()->second);
	return descend(depth - 1, words) + 1;
}

int main()
{
	std::map<int, std::string> words;
	std::vector<int> depths;

	for (int i = 0; i < 1000; i++) {
		words[i * 7919 % 1009] = std::to_string(i);
		try {
			depths.push_back(descend(i % 30, words));
		} catch (const std::exception &e) {
			depths.push_back(e.what()[0]);
		}
	}
	return depths.empty();
}
